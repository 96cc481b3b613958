"""Curves, thresholds, and accuracy where a model is sure."""

import json

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized
from sklearn import metrics as sklearn_metrics

from tl_keras.evaluation import curves
from tl_keras.evaluation import selective
from tl_keras.evaluation import thinning
from tl_keras.evaluation import thresholds


def draw(count, num_classes=3):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, num_classes, count)
    probabilities = rng.dirichlet(np.ones(num_classes), count)
    probabilities[np.arange(count), labels] += 0.4
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


class CurvesTest(absltest.TestCase):
    def test_thinned_curves_keep_their_areas(self):
        probabilities, labels = draw(5000)
        _, precision = curves.areas(probabilities, labels)
        found = curves.curves(probabilities, labels, ("a", "b", "c"), precision)
        self.assertEqual(list(found["roc"]), ["a", "b", "c", "micro"])
        roc = found["roc"]["b"]
        self.assertLessEqual(len(roc["thresholds"]), thinning.MOST_POINTS)
        self.assertAlmostEqual(
            sklearn_metrics.auc(
                roc["false_positive_rate"], roc["true_positive_rate"]
            ),
            sklearn_metrics.roc_auc_score(labels == 1, probabilities[:, 1]),
            delta=2e-3,
        )
        self.assertIsNone(roc["thresholds"][0])
        json.dumps(found, allow_nan=False)

    def test_thinning_keeps_both_ends_and_corners(self):
        steps = np.linspace(0, 1, 5000)
        corner = np.minimum(steps * 10, 1.0)
        kept = thinning.indices(steps, corner)
        self.assertLessEqual(len(kept), thinning.MOST_POINTS)
        self.assertEqual([kept[0], kept[-1]], [0, 4999])
        between = np.interp(steps, steps[kept], corner[kept])
        np.testing.assert_allclose(between, corner, atol=0.02)


class ThresholdsTest(parameterized.TestCase):
    @parameterized.parameters(0.5, 0.8, 0.95, 1.0)
    def test_no_other_threshold_does_better(self, wanted):
        probabilities, labels = draw(200)
        scores, positive = probabilities[:, 1], labels == 1
        precise = thresholds.for_precision(positive, scores, wanted)
        complete = thresholds.for_recall(positive, scores, wanted)
        points = []
        for threshold in scores:
            found = scores >= threshold
            hits = (found & positive).sum()
            points.append((hits / found.sum(), hits / positive.sum()))
        points = np.array(points)
        self.assertGreaterEqual(precise["precision"], wanted)
        self.assertAlmostEqual(
            precise["recall"], points[points[:, 0] >= wanted][:, 1].max()
        )
        self.assertGreaterEqual(complete["recall"], wanted)
        self.assertAlmostEqual(
            complete["precision"], points[points[:, 1] >= wanted][:, 0].max()
        )
        found = scores >= precise["threshold"]
        self.assertAlmostEqual(precise["precision"], positive[found].mean())

    def test_what_cannot_be_reached_is_none(self):
        positive, scores = [False, True], [0.9, 0.1]
        self.assertIsNone(thresholds.for_precision(positive, scores, 0.9))
        self.assertIsNone(thresholds.for_recall([False], [0.1], 0.9))

    def test_a_share_above_one_is_refused(self):
        with self.assertRaisesRegex(ValueError, "precision"):
            thresholds.for_precision([True], [0.5], 1.5)


class CoverageTest(absltest.TestCase):
    def test_is_the_accuracy_of_the_surest(self):
        confidence = np.array([0.9, 0.8, 0.8, 0.5])
        correct = np.array([True, True, False, False])
        curve = selective.coverage_curve(confidence, correct)
        # Equal confidences count together.
        self.assertEqual(curve["coverage"], [0.25, 0.75, 1.0])
        self.assertEqual(curve["accuracy"], [1.0, 2 / 3, 0.5])
        self.assertEqual(curve["confidence"], [0.9, 0.8, 0.5])
        self.assertAlmostEqual(
            curve["mean_accuracy"], 0.25 * 1 + 0.5 * 2 / 3 + 0.25 * 0.5
        )


if __name__ == "__main__":
    absltest.main()
