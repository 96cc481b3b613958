"""Tests of groups of copies."""

import numpy as np
from absl.testing import absltest

from tl_keras.auditing import duplicates


class GroupsTest(absltest.TestCase):
    def test_equal_examples_are_paired_with_the_first_one(self):
        digests = np.zeros((5, 16), np.uint8)
        digests[:, 3] = [7, 8, 7, 9, 7]
        found = duplicates.exact_pairs(digests)
        self.assertEqual(found.tolist(), [[0, 2], [0, 4]])

    def test_pairs_that_share_an_example_are_one_group(self):
        found = duplicates.groups(9, [[0, 4], [2, 3]], [[4, 8]], [0.91])
        self.assertEqual(
            [(g.indices, g.exact, g.likeness) for g in found],
            [((2, 3), True, 1.0), ((0, 4, 8), False, 0.91)],
        )

    def test_without_pairs_there_are_no_groups(self):
        self.assertEqual(duplicates.groups(3, [], [], []), [])


class ThresholdTest(absltest.TestCase):
    def test_is_the_usual_one_where_unrelated_examples_differ(self):
        unrelated = np.random.default_rng(0).normal(0.1, 0.05, 1000)
        found = duplicates.threshold(unrelated, 60_000)
        self.assertEqual(found, duplicates.LIKENESS)

    def test_lets_one_pair_by_chance_where_all_look_alike(self):
        # Fisher: atanh of the correlation is normal, here N(1, 0.2). Of
        # 1000 * 999 / 2 pairs, one is beyond 4.6 standard deviations.
        z = np.random.default_rng(0).normal(1.0, 0.2, 100_000)
        found = duplicates.threshold(np.tanh(z), 1000)
        self.assertAlmostEqual(found, np.tanh(1.0 + 4.6 * 0.2), delta=0.003)


if __name__ == "__main__":
    absltest.main()
