"""Tests of the nearest training examples, against NumPy."""

import numpy as np
from absl.testing import absltest

from tl_keras.interpretation import neighbours


class NearestNeighboursTest(absltest.TestCase):
    def test_are_those_with_the_largest_cosine(self):
        rng = np.random.default_rng(0)
        kept, asked = rng.normal(size=(50, 8)), rng.normal(size=(3, 8))
        found = neighbours.nearest_neighbours(kept, asked, count=4)
        norms = np.linalg.norm(asked, axis=1)[:, None] * np.linalg.norm(
            kept, axis=1
        )
        cosines = asked @ kept.T / norms
        for row, expected in zip(found, cosines, strict=True):
            self.assertEqual(
                [one.index for one in row], np.argsort(-expected)[:4].tolist()
            )
            np.testing.assert_allclose(
                [one.similarity for one in row],
                np.sort(expected)[::-1][:4],
                atol=1e-5,
            )

    def test_few_examples_give_few_neighbours(self):
        [row] = neighbours.nearest_neighbours(np.eye(2), [[1.0, 0.5]], count=9)
        self.assertLen(row, 2)

    def test_features_of_another_width_are_refused(self):
        with self.assertRaisesRegex(ValueError, r"\(2, 2\) and \(1, 3\)"):
            neighbours.nearest_neighbours(np.eye(2), np.ones((1, 3)))


if __name__ == "__main__":
    absltest.main()
