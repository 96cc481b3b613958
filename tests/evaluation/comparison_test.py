"""Whether models differ by more than chance."""

import dataclasses

import numpy as np
from absl.testing import absltest
from scipy import stats

from tl_keras.evaluation import comparison
from tl_keras.evaluation import prediction_files
from tl_keras.evaluation import resampling

FEW = resampling.Resamples(count=300)


def predictions(correct, seed=0, sure=0.8):
    """Predictions of two classes, right where `correct` is."""
    rng = np.random.default_rng(seed)
    count = len(correct)
    labels = rng.integers(0, 2, count)
    predicted = np.where(correct, labels, 1 - labels)
    probabilities = np.full((count, 2), 1 - sure, "float32")
    probabilities[np.arange(count), predicted] = sure
    return prediction_files.Predictions(
        ids=np.array([f"{index}.png" for index in range(count)]),
        labels=labels,
        probabilities=probabilities,
        digests=np.random.default_rng(1)
        .integers(0, 256, (count, 16))
        .astype("uint8"),
        class_names=("cat", "dog"),
    )


def correct(count, *wrong):
    found = np.ones(count, bool)
    for first, last in wrong:
        found[first:last] = False
    return found


class CompareTest(absltest.TestCase):
    def test_mcnemar_counts_what_one_alone_has_right(self):
        # a is wrong in 0..20, b in 10..50: 10 and 30 are wrong in one alone.
        found = comparison.compare(
            {
                "b": predictions(correct(200, (10, 50))),
                "a": predictions(correct(200, (0, 20))),
            },
            resamples=FEW,
        )
        self.assertEqual(list(found.scores), ["a", "b"])
        [pair] = found.pairs
        self.assertEqual(
            (pair.first, pair.only_first_right, pair.only_second_right),
            ("a", 30, 10),
        )
        self.assertAlmostEqual(
            pair.p_value, 2 * stats.binom.cdf(10, 40, 0.5), places=9
        )
        self.assertTrue(pair.differ)
        difference = pair.differences["accuracy"]
        self.assertAlmostEqual(difference["difference"], 0.1)
        # The standard error of the mean of 30 times 1 and 10 times -1.
        error = np.sqrt((40 / 200 - 0.1**2) / 200)
        low, high = difference["interval"]
        self.assertAlmostEqual(low, 0.1 - 1.96 * error, delta=0.015)
        self.assertAlmostEqual(high, 0.1 + 1.96 * error, delta=0.015)
        self.assertIn("a and b differ", str(found))

    def test_many_equal_models_seldom_differ(self):
        rng = np.random.default_rng(0)
        found = comparison.compare(
            {
                f"run{index}": predictions(rng.random(300) < 0.8)
                for index in range(6)
            },
            resamples=resampling.Resamples(count=20),
        )
        self.assertLen(found.pairs, 15)
        self.assertFalse(any(pair.differ for pair in found.pairs))
        for pair in found.pairs:
            self.assertGreaterEqual(pair.adjusted_p_value, pair.p_value)

    def test_holm_is_the_step_down_procedure(self):
        # 0.01 * 4, then 0.02 * 3, then the larger before 0.025 * 2, 0.9.
        found = comparison.holm([0.02, 0.9, 0.01, 0.025])
        np.testing.assert_allclose(found, [0.06, 0.9, 0.04, 0.06])

    def test_the_order_of_examples_does_not_matter(self):
        first = predictions(correct(100, (0, 30)))
        order = np.random.default_rng(3).permutation(100)
        second = predictions(correct(100, (0, 30)))
        second = dataclasses.replace(
            second,
            **{
                name: getattr(second, name)[order]
                for name in ("ids", "labels", "probabilities", "digests")
            },
        )
        [pair] = comparison.compare({"a": first, "b": second}).pairs
        self.assertEqual(pair.only_first_right + pair.only_second_right, 0)
        self.assertEqual(pair.p_value, 1.0)
        self.assertEqual(pair.differences["log_loss"]["interval"], [0.0, 0.0])

    def test_other_data_are_refused(self):
        one = predictions(correct(100))
        other = dataclasses.replace(one, labels=1 - one.labels)
        names = dataclasses.replace(one, class_names=("cat", "cow"))
        for second, message in (
            (predictions(correct(90)), "100 in 'a'|90 in 'b'"),
            (other, "different examples"),
            (names, "different classes.*cow"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                comparison.compare({"a": one, "b": second})
        with self.assertRaisesRegex(ValueError, "at least two"):
            comparison.compare({"a": one})


if __name__ == "__main__":
    absltest.main()
