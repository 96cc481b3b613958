"""Tests of the highest losses and the most confused pairs."""

import numpy as np
from absl.testing import absltest
from sklearn import metrics

from tl_keras.interpretation import mistakes


def predictions(count=200, num_classes=4):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(num_classes), count)
    return probabilities, rng.integers(0, num_classes, count)


class TopLossesTest(absltest.TestCase):
    def test_are_the_highest_log_losses(self):
        probabilities, labels = predictions()
        found = mistakes.top_losses(probabilities, labels, count=5)
        losses = [
            metrics.log_loss([label], [row], labels=range(4))
            for row, label in zip(probabilities, labels, strict=True)
        ]
        self.assertEqual(
            [one.index for one in found], np.argsort(losses)[::-1][:5].tolist()
        )
        np.testing.assert_allclose(
            [one.loss for one in found], np.sort(losses)[::-1][:5]
        )

    def test_labels_that_are_no_class_are_refused(self):
        with self.assertRaisesRegex(ValueError, "do not fit"):
            mistakes.top_losses([[0.5, 0.5]], [2])


class ConfusedPairsTest(absltest.TestCase):
    def test_are_the_largest_cells_beside_the_diagonal(self):
        probabilities, labels = predictions()
        matrix = metrics.confusion_matrix(labels, probabilities.argmax(axis=1))
        found = mistakes.confused_pairs(probabilities, labels, list("abcd"))
        np.fill_diagonal(matrix, 0)
        self.assertEqual(
            [pair.count for pair in found],
            np.sort(matrix, None)[::-1][:10].tolist(),
        )
        for pair in found:
            row, column = "abcd".index(pair.label), "abcd".index(pair.predicted)
            self.assertEqual(pair.count, matrix[row, column])
            self.assertAlmostEqual(pair.share, pair.count / sum(labels == row))

    def test_the_surest_error_comes_first(self):
        probabilities, labels = predictions()
        pair = mistakes.confused_pairs(probabilities, labels)[0]
        sure = probabilities[list(pair.examples), int(pair.predicted)]
        self.assertEqual(sure.tolist(), sorted(sure, reverse=True))
        self.assertLen(pair.examples, pair.count)

    def test_there_are_none_without_errors(self):
        self.assertEmpty(mistakes.confused_pairs(np.eye(3), [0, 1, 2]))


if __name__ == "__main__":
    absltest.main()
