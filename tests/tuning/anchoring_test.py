import numpy as np
from absl.testing import absltest

from tl_keras.tuning import anchoring


class StartingPointPenaltyTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.start = [rng.normal(size=(3, 2)), rng.normal(size=(2,))]
        self.moved = [weight + 0.5 for weight in self.start]

    def test_matches_a_sum_done_by_hand(self):
        penalty = anchoring.starting_point_penalty(self.moved, self.start, 0.1)
        # Eight entries, each 0.5 away: 0.1 / 2 * 8 * 0.25.
        self.assertAlmostEqual(float(penalty), 0.1, places=6)

    def test_is_zero_at_the_start(self):
        penalty = anchoring.starting_point_penalty(self.start, self.start, 9.0)
        self.assertEqual(float(penalty), 0.0)

    def test_is_zero_without_weights(self):
        self.assertEqual(
            float(anchoring.starting_point_penalty([], [], 1.0)), 0.0
        )

    def test_shows_both_shapes_when_they_differ(self):
        with self.assertRaisesRegex(ValueError, r"\(3, 2\).*Expected the same"):
            anchoring.starting_point_penalty(self.moved, self.start[1:], 0.1)


if __name__ == "__main__":
    absltest.main()
