"""Tests of the search for wrong labels."""

import sys
from unittest import mock

import numpy as np
from absl.testing import absltest
from sklearn import datasets
from sklearn import metrics

from tl_keras.auditing import doubtful_labels
from tl_keras.auditing import neighbours


class DoubtfulLabelsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        digits = datasets.load_digits(n_class=5)
        rng = np.random.default_rng(0)
        cls.wrong = rng.random(len(digits.target)) < 0.05
        moved = (digits.target + rng.integers(1, 5, len(cls.wrong))) % 5
        cls.labels = np.where(cls.wrong, moved, digits.target)
        cls.truth = digits.target
        cls.rows = (digits.data - digits.data.mean(0)).astype(np.float32)
        cls.near, _ = neighbours.nearest(cls.rows, 20)
        cls.found = doubtful_labels.find(
            cls.rows, cls.labels, cls.near, 5, seed=0
        )

    def test_flipped_labels_come_first(self):
        quality = np.empty(len(self.labels))
        for doubt in self.found:
            quality[doubt.index] = doubt.quality
        precision = metrics.average_precision_score(self.wrong, -quality)
        self.assertGreater(precision, 0.95)

    def test_the_true_label_is_suggested(self):
        number = self.wrong.sum()
        right = [d.suggestion == self.truth[d.index] for d in self.found]
        self.assertGreater(np.mean(right[:number]), 0.95)

    def test_likely_errors_are_the_flipped_ones(self):
        errors = [d.index for d in self.found if d.likely_error]
        self.assertGreater(self.wrong[errors].mean(), 0.9)
        self.assertGreater(len(errors), 0.6 * self.wrong.sum())

    def test_without_cleanlab_nearly_the_same_are_errors(self):
        with mock.patch.dict(sys.modules, {"cleanlab": None}):
            found = doubtful_labels.find(
                self.rows, self.labels, self.near, 5, seed=0
            )
        errors = [
            {d.index for d in some if d.likely_error}
            for some in (found, self.found)
        ]
        both = errors[0] & errors[1]
        self.assertGreater(len(both), 0.9 * len(errors[0] | errors[1]))

    def test_agreement_is_the_share_of_neighbours(self):
        for doubt in self.found[:5]:
            share = np.mean(
                self.labels[self.near[doubt.index]] == self.labels[doubt.index]
            )
            self.assertAlmostEqual(doubt.agreement, share, places=4)

    def test_a_class_of_few_examples_is_not_judged(self):
        labels = self.labels.copy()
        labels[:3] = 5
        found = doubtful_labels.find(self.rows, labels, self.near, 6, seed=0)
        self.assertEqual(len(found), len(labels) - 3)
        self.assertNotIn(0, {doubt.index for doubt in found})

    def test_too_few_examples_of_every_class_are_an_error(self):
        with self.assertRaisesRegex(ValueError, "Expected at least two"):
            doubtful_labels.find(
                self.rows[:4], np.array([0, 0, 1, 1]), self.near[:4], 2, seed=0
            )


if __name__ == "__main__":
    absltest.main()
