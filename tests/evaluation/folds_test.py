"""Which examples train, validate and test: never the same ones."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.evaluation import folds


def draw(count=200):
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(count) % 4)
    digests = rng.integers(0, 256, (count, 16)).astype("uint8")
    digests[10:14] = digests[0]  # Five equal examples.
    patients = rng.integers(0, 40, count)
    return labels, digests, patients


class GroupsTest(absltest.TestCase):
    def test_content_and_column_hold_examples_together_over_others(self):
        digests = np.array([[0], [1], [1], [2], [3]], np.uint8)
        # 0 and 1 by the column, 1 and 2 by content.
        found = folds.groups_of(digests, ["a", "a", "b", "c", "d"])
        self.assertEqual(found[0], found[2])
        self.assertLen(set(found), 3)


class FoldsTest(parameterized.TestCase):
    @parameterized.parameters(False, True)
    def test_each_example_is_tested_once_and_not_seen(self, grouped):
        labels, digests, patients = draw()
        groups = folds.groups_of(digests, patients if grouped else None)
        tested = []
        for parts in folds.k_fold(
            labels, groups, 5, validation_fraction=0.2, seed=3
        ):
            every = [parts.train, parts.validation, parts.test]
            self.assertEqual(
                sorted(np.concatenate(every)), list(range(len(labels)))
            )
            for one in range(3):
                for other in range(one):
                    self.assertEmpty(
                        set(groups[every[one]]) & set(groups[every[other]])
                    )
            self.assertAlmostEqual(len(parts.test) / 200, 0.2, delta=0.08)
            shares = np.bincount(labels[parts.test]) / len(parts.test)
            np.testing.assert_allclose(shares, 0.25, atol=0.12)
            tested.extend(parts.test)
        self.assertEqual(sorted(tested), list(range(200)))

    def test_hold_outs_differ_and_follow_from_the_seed(self):
        labels, digests, _ = draw()
        groups = folds.groups_of(digests)

        def made(seed):
            return [
                parts.test.tolist()
                for parts in folds.hold_outs(
                    labels,
                    groups,
                    3,
                    test_fraction=0.25,
                    validation_fraction=0.0,
                    seed=seed,
                )
            ]

        self.assertEqual(made(0), made(0))
        self.assertNotEqual(made(0)[0], made(0)[1])
        self.assertAlmostEqual(len(made(0)[0]), 50, delta=5)

    def test_too_few_of_a_class_are_told(self):
        labels = np.array([0] * 20 + [1] * 3)
        with self.assertRaisesRegex(ValueError, "Got: 3 of the rarest class"):
            list(
                folds.k_fold(
                    labels, np.arange(23), 5, validation_fraction=0, seed=0
                )
            )


if __name__ == "__main__":
    absltest.main()
