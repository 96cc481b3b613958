"""Tests of the search for neighbours."""

import numpy as np
from absl.testing import absltest

from tl_keras.auditing import neighbours


class NeighboursTest(absltest.TestCase):
    def test_are_those_of_a_search_by_hand(self):
        rows = np.random.default_rng(0).normal(size=(50, 6))
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -2)
        expected = np.argsort(-cosines, axis=1)[:, :4]
        indices, alike = neighbours.nearest(rows, 4)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_allclose(
            alike, np.take_along_axis(cosines, expected, 1), atol=1e-5
        )

    def test_there_are_no_more_than_other_rows(self):
        indices, _ = neighbours.nearest([[1.0, 0.0], [0.0, 1.0]], 5)
        self.assertEqual(indices.tolist(), [[1], [0]])


if __name__ == "__main__":
    absltest.main()
