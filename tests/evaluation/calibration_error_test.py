"""Calibration error: by hand, and without what noise adds."""

import numpy as np
from absl.testing import absltest

from tl_keras.evaluation import calibration_error


def error_of(confidence, correct):
    sums = calibration_error.gap_sums(confidence, correct).sum(axis=0)
    return [float(one) for one in calibration_error.errors(sums)]


class CalibrationErrorTest(absltest.TestCase):
    def test_is_a_sum_over_bins_done_by_hand(self):
        # Bins are 1/15 wide: 0.95 and 0.97 share the last but one's end.
        confidence = np.array([0.95, 0.97, 0.55, 0.55], "float32")
        correct = np.array([True, False, True, True])
        plain, _ = error_of(confidence, correct)
        # |1.92 - 1| / 4 + |1.1 - 2| / 4.
        self.assertAlmostEqual(plain, (0.92 + 0.9) / 4, places=6)

    def test_reliability_counts_every_example_once(self):
        confidence = np.linspace(0.0, 1.0, 61)
        bins = calibration_error.reliability(confidence, confidence > 0.5)
        self.assertEqual(sum(one["num_examples"] for one in bins), 61)
        for one in bins:
            self.assertBetween(one["confidence"], one["low"], one["high"])
        self.assertEqual([bins[0]["accuracy"], bins[-1]["accuracy"]], [0, 1])
        empty = calibration_error.reliability([0.99], [True])[0]
        self.assertIsNone(empty["accuracy"])

    def test_the_debiased_estimate_is_nearer_to_the_truth(self):
        rng = np.random.default_rng(0)
        for excess in (0.0, 0.02):
            found = []
            for _ in range(200):
                confidence = rng.uniform(0.6, 1.0, 200)
                correct = rng.random(200) < confidence - excess
                found.append(error_of(confidence, correct))
            plain, debiased = np.mean(found, axis=0)
            self.assertLess(abs(debiased - excess), abs(plain - excess))
            self.assertLess(abs(debiased - excess), 0.05)

    def test_certain_predictions_have_no_noise_to_take_off(self):
        # All in one bin, all wrong with confidence 1: the error is 1.
        self.assertEqual(error_of(np.ones(5), np.zeros(5, bool)), [1.0, 1.0])
        self.assertEqual(error_of(np.ones(1), np.zeros(1, bool)), [1.0, 1.0])


if __name__ == "__main__":
    absltest.main()
