"""What the scores of several trainings say."""

import numpy as np
from absl.testing import absltest
from scipy import stats

from tl_keras.evaluation import trials


def trial(repeat, fold, seed, score):
    return {
        "repeat": repeat,
        "fold": fold,
        "seed": seed,
        "num_train": 70,
        "num_validation": 10,
        "num_test": 20,
        **dict.fromkeys(trials.METRICS, score),
    }


def summary(kind, rows, **about):
    about = {
        "folds": 2,
        "repeats": 1,
        "seeds": 1,
        "group_column": None,
        "num_examples": 100,
        "seconds": 1.0,
        "prefix_seconds": 0.5,
        **about,
    }
    return trials.summary(kind, [trial(*row) for row in rows], **about)


class SummaryTest(absltest.TestCase):
    def test_corrects_for_shared_training_examples(self):
        rows = [(0, 0, 0, 0.8), (0, 1, 0, 0.9), (1, 0, 0, 0.7), (1, 1, 0, 0.8)]
        found = summary("folds", rows, repeats=2).metrics["accuracy"]
        values = np.array([0.8, 0.9, 0.7, 0.8])
        # Nadeau and Bengio: 1 / 4 + 20 / 80 in place of 1 / 4.
        half = stats.t.ppf(0.975, 3) * np.sqrt(0.5 * values.var(ddof=1))
        np.testing.assert_allclose(
            found["interval"], [0.8 - half, 0.8 + half], rtol=1e-12
        )
        self.assertIsNone(found["seed_deviation"])
        self.assertEqual([found["lowest"], found["highest"]], [0.7, 0.9])

    def test_seeds_of_a_fold_are_averaged_first(self):
        rows = [(0, 0, 0, 0.8), (0, 0, 1, 0.9), (0, 1, 0, 0.5), (0, 1, 1, 0.6)]
        found = summary("folds", rows, seeds=2).metrics["accuracy"]
        self.assertAlmostEqual(
            found["standard_deviation"], np.std([0.85, 0.55], ddof=1)
        )
        self.assertAlmostEqual(found["seed_deviation"], np.sqrt(0.005))

    def test_seeds_have_a_plain_t_interval(self):
        rows = [
            (0, 0, seed, score) for seed, score in enumerate((0.3, 0.5, 0.4))
        ]
        about = {"folds": None, "repeats": None, "seeds": 3}
        found = summary("seeds", rows, **about)
        expected = stats.ttest_1samp([0.3, 0.5, 0.4], 0).confidence_interval()
        np.testing.assert_allclose(
            found.metrics["accuracy"]["interval"], list(expected)
        )
        self.assertIn("not how far another test part", str(found))

    def test_intervals_stay_where_the_metric_can_be(self):
        rows = [(0, 0, 0, 0.95), (0, 1, 0, 0.85)]
        found = summary("folds", rows).metrics
        self.assertEqual(found["accuracy"]["interval"][1], 1.0)
        self.assertGreater(found["log_loss"]["interval"][1], 1.0)
        self.assertEqual(found["log_loss"]["interval"][0], 0.0)

    def test_covers_the_truth_where_the_plain_t_does_not(self):
        # Five scores that share half of their variance, as trainings on
        # common examples do: their mean has 0.5 + 0.5 / 5 of it. The plain
        # interval takes 0.5 / 5; the corrected one (1 / 5 + 1 / 4) * 0.5.
        rng = np.random.default_rng(0)
        held = {0.0: 0, 0.25: 0}
        for _ in range(500):
            values = rng.normal() * np.sqrt(0.2) + rng.normal(size=5)
            for ratio in held:
                low, high = trials.interval(values, ratio)
                held[ratio] += low <= 0.0 <= high
        self.assertLess(held[0.0] / 500, 0.88)
        self.assertGreater(held[0.25] / 500, 0.92)


if __name__ == "__main__":
    absltest.main()
