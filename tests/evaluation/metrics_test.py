"""Tests of how good a classifier is on labelled examples."""

import json

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from sklearn import metrics as sklearn_metrics

from tl_keras import cards
from tl_keras import input_specs
from tl_keras.evaluation import metrics
from tl_keras.evaluation import resampling


def _echo_model(num_classes, softmax=False):
    """A model whose logits are the numbers in its images."""
    layers = [
        keras.Input((1, 1, num_classes)),
        keras.layers.Flatten(),
        keras.layers.Activation("softmax" if softmax else "linear"),
    ]
    return keras.Sequential(layers)


def _dataset(logits, labels, batch_size=32):
    logits = np.asarray(logits, "float32")
    images = logits.reshape(len(logits), 1, 1, -1)
    pairs = tf.data.Dataset.from_tensor_slices((images, np.asarray(labels)))
    return pairs.batch(batch_size)


def _evaluate(logits, labels, **options):
    model = _echo_model(np.shape(logits)[1])
    return metrics.evaluate(model, _dataset(logits, labels), **options)


def _logits_of(predicted, num_classes):
    return 5.0 * np.eye(num_classes)[predicted]


class EvaluateTest(parameterized.TestCase):
    @parameterized.parameters(False, True)
    def test_agrees_with_sklearn_on_the_same_arrays(self, softmax):
        rng = np.random.default_rng(0)
        logits = rng.normal(size=(203, 7)).astype("float32")
        labels = rng.integers(0, 7, 203)
        predicted = logits.argmax(axis=1)
        exponentials = np.exp(logits.astype("float64"))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)

        evaluation = metrics.evaluate(
            _echo_model(7, softmax), _dataset(logits, labels)
        )

        report = sklearn_metrics.classification_report(
            labels, predicted, output_dict=True
        )
        expected = {
            "num_examples": 203,
            "accuracy": report["accuracy"],
            "top_5_accuracy": sklearn_metrics.top_k_accuracy_score(
                labels, probabilities, k=5
            ),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(
                labels, predicted
            ),
            "macro_precision": report["macro avg"]["precision"],
            "macro_recall": report["macro avg"]["recall"],
            "macro_f1": report["macro avg"]["f1-score"],
            "micro_precision": report["accuracy"],
            "micro_f1": sklearn_metrics.f1_score(
                labels, predicted, average="micro"
            ),
            "weighted_precision": report["weighted avg"]["precision"],
            "weighted_recall": report["weighted avg"]["recall"],
            "weighted_f1": report["weighted avg"]["f1-score"],
            "matthews_correlation": sklearn_metrics.matthews_corrcoef(
                labels, predicted
            ),
            "cohen_kappa": sklearn_metrics.cohen_kappa_score(labels, predicted),
            "roc_auc": sklearn_metrics.roc_auc_score(
                labels, probabilities, multi_class="ovr"
            ),
            "average_precision": sklearn_metrics.average_precision_score(
                np.eye(7)[labels], probabilities
            ),
            "log_loss": sklearn_metrics.log_loss(labels, probabilities),
            "brier_score": ((probabilities - np.eye(7)[labels]) ** 2)
            .sum(axis=1)
            .mean(),
        }
        for name, value in expected.items():
            self.assertAlmostEqual(getattr(evaluation, name), value, places=6)
        np.testing.assert_array_equal(
            evaluation.confusion_matrix,
            sklearn_metrics.confusion_matrix(labels, predicted),
        )
        for index in range(7):
            row, by_sklearn = (
                evaluation.per_class[str(index)],
                report[str(index)],
            )
            self.assertEqual(row["support"], by_sklearn["support"])
            self.assertAlmostEqual(row["f1"], by_sklearn["f1-score"])
            self.assertAlmostEqual(row["recall"], by_sklearn["recall"])
            self.assertAlmostEqual(row["precision"], by_sklearn["precision"])

    def test_matches_a_count_done_by_hand(self):
        evaluation = _evaluate(
            _logits_of([0, 1, 1, 1, 2], 3),
            [0, 0, 1, 1, 2],
            class_names=("cat", "dog", "owl"),
        )
        self.assertEqual(evaluation.accuracy, 4 / 5)
        # Recall of cat, dog, owl: 1/2, 2/2, 1/1. Precision: 1/1, 2/3, 1/1.
        self.assertAlmostEqual(evaluation.balanced_accuracy, 2.5 / 3)
        self.assertAlmostEqual(evaluation.macro_precision, (1 + 2 / 3 + 1) / 3)
        self.assertEqual(
            evaluation.confusion_matrix, [[1, 1, 0], [0, 2, 0], [0, 0, 1]]
        )
        row = evaluation.per_class["cat"]
        self.assertEqual(
            [row[name] for name in ("precision", "recall", "f1", "support")],
            [1.0, 0.5, 2 / 3, 2],
        )

    def test_leaves_a_class_that_never_occurs_out_of_the_averages(self):
        evaluation = _evaluate(_logits_of([0, 1, 1, 0], 3), [0, 1, 1, 0])
        self.assertEqual(evaluation.macro_f1, 1.0)
        self.assertEqual(evaluation.balanced_accuracy, 1.0)
        row = evaluation.per_class["2"]
        for name in ("precision", "recall", "f1", "support"):
            self.assertEqual(row[name], 0)
        self.assertIsNone(row["roc_auc"])
        self.assertEqual(row["intervals"], {})
        self.assertNotIn("2", evaluation.curves["roc"])
        self.assertIsNone(evaluation.thresholds["recall"]["0.9"]["2"])
        self.assertEqual(np.shape(evaluation.confusion_matrix), (3, 3))

    def test_counts_a_class_that_is_only_predicted_as_a_failure(self):
        evaluation = _evaluate(_logits_of([0, 1, 2, 0], 3), [0, 1, 1, 0])
        # Recall: 1, 1/2, and 0 for the class without labels.
        self.assertAlmostEqual(evaluation.macro_recall, 1.5 / 3)
        self.assertAlmostEqual(evaluation.balanced_accuracy, 1.5 / 2)

    def test_gives_no_top_5_accuracy_for_5_classes(self):
        self.assertIsNone(_evaluate(np.eye(5), range(5)).top_5_accuracy)
        self.assertEqual(_evaluate(np.eye(6), range(6)).top_5_accuracy, 1.0)

    def test_log_loss_of_certain_mistakes_is_finite(self):
        evaluation = _evaluate([[200.0, 0.0], [0.0, 200.0]], [1, 0])
        # Clipped at the smallest step of float32 from 1.
        self.assertAlmostEqual(
            evaluation.log_loss, -np.log(np.finfo("float32").eps), places=4
        )

    def test_accepts_one_example(self):
        evaluation = _evaluate([[1.0, 0.0]], [0])
        self.assertEqual(evaluation.accuracy, 1.0)
        self.assertIsNone(evaluation.roc_auc)
        # One success says little: Wilson's interval is 1 / (1 + 1.96^2).
        low, high = evaluation.intervals["accuracy"]
        self.assertAlmostEqual(low, 1 / (1 + 1.959964**2), places=5)
        self.assertEqual(high, 1.0)
        self.assertNotIn("roc_auc", evaluation.intervals)

    def test_takes_a_thousand_classes(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 1000, 300)
        logits = rng.normal(size=(300, 1000))
        logits[np.arange(300), labels] += 4.0
        evaluation = _evaluate(
            logits, labels, resamples=resampling.Resamples(count=20)
        )
        low, high = evaluation.intervals["macro_f1"]
        self.assertBetween(evaluation.intervals["accuracy"][0], 0.5, 0.9)
        self.assertLess(low, high)
        self.assertLen(evaluation.curves["roc"], 21)
        self.assertNotIn("average_precision", evaluation.intervals)
        self.assertLess(len(json.dumps(evaluation.as_dict())), 4_000_000)

    def test_is_not_fooled_by_probabilities_below_a_half(self):
        # What Keras' Precision and Recall call nothing found.
        logits = np.log([[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4]])
        evaluation = _evaluate(logits, [0, 1, 2])
        self.assertEqual(evaluation.macro_precision, 1.0)
        self.assertEqual(evaluation.macro_recall, 1.0)

    def test_tells_the_metrics_of_slices(self):
        evaluation = _evaluate(
            _logits_of([0, 1, 1, 0], 2),
            [0, 1, 0, 0],
            columns={"light": ["day", "day", "night", "night"]},
        )
        self.assertEqual(list(evaluation.slices["light"]), ["day", "night"])
        day, night = evaluation.slices["light"].values()
        self.assertEqual([day["accuracy"], night["accuracy"]], [1.0, 0.5])
        self.assertEqual(day["num_examples"], 2)
        self.assertIn("accuracy", night["intervals"])
        self.assertRegex(str(evaluation), r"night +2 +0\.5000  \[")

    def test_takes_predictions_that_are_there_already(self):
        probabilities = [[0.7, 0.3], [0.4, 0.6], [0.2, 0.8]]
        evaluation = metrics.from_predictions(probabilities, [0, 1, 0])
        self.assertAlmostEqual(evaluation.accuracy, 2 / 3)
        for wrong, message in (
            ([[np.nan, 1.0]], "not finite"),
            ([[0.7, 0.7]], "no probabilities"),
            ([0.5, 0.5], "do not fit together"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                metrics.from_predictions(wrong, [0] * len(wrong))

    def test_takes_the_names_from_the_card(self):
        model = _echo_model(2)
        cards.attach(
            model,
            cards.Card(
                encoder="none",
                groups={},
                preprocessing_output=None,
                trained_range=(0.0, 255.0),
                input_spec=input_specs.ImageSpec(size=1),
                num_classes=2,
                class_names=("cat", "dog"),
            ),
        )
        evaluation = metrics.evaluate(model, _dataset(np.eye(2), [0, 1]))
        self.assertEqual(list(evaluation.per_class), ["cat", "dog"])

    @parameterized.parameters(
        (("a", "b"), "2 names.*Expected 3"),
        (("a", "b", "a"), "twice. Got: 'a'"),
    )
    def test_refuses_names_that_do_not_fit(self, names, message):
        with self.assertRaisesRegex(ValueError, message):
            _evaluate(np.eye(3), [0, 1, 2], class_names=names)


class EvaluationTest(absltest.TestCase):
    def test_goes_through_json_unchanged(self):
        evaluation = _evaluate(np.eye(6), range(6))
        entry = evaluation.as_dict()
        self.assertEqual(json.loads(json.dumps(entry, allow_nan=False)), entry)
        self.assertEqual(metrics.Evaluation(**entry), evaluation)

    def test_prints_overall_figures_and_a_row_per_class(self):
        evaluation = _evaluate(
            _logits_of([0, 1, 1, 1], 2),
            [0, 0, 1, 1],
            class_names=("cat", "dog"),
        )
        lines = str(evaluation).splitlines()
        self.assertEqual(lines[0], "4 examples, 2 classes")
        self.assertRegex(lines[1], r"^accuracy +0.7500  \[0\..*, 0\..*\]$")
        self.assertEqual(
            lines[-2].split(), ["cat", "1.0000", "0.5000", "0.6667", "2"]
        )
        self.assertNotIn("top-5", str(evaluation))

    def test_prints_the_worst_of_many_classes(self):
        predicted = np.arange(200)
        predicted[150] = 0
        lines = str(_evaluate(_logits_of(predicted, 200), range(200)))
        self.assertLess(lines.count("\n"), 60)
        self.assertRegex(lines, r"\n150 +0\.0000")
        self.assertIn("and 160 classes with a higher F1", lines)


if __name__ == "__main__":
    absltest.main()
