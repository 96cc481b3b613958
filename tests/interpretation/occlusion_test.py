"""Tests of occlusion, against a loop in NumPy."""

import keras
import numpy as np
from absl.testing import absltest

from tl_keras.interpretation import occlusion

SHAPE = (7, 6, 3)


def images():
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (2, *SHAPE)).astype(np.float32)


def network():
    keras.utils.set_random_seed(0)
    layers = [keras.Input(SHAPE), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(4, 3, activation="relu")]
    layers += [keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential(layers)


def by_hand(model, image, class_index, tops, lefts, window, color):
    total, count = np.zeros(SHAPE[:2]), np.zeros(SHAPE[:2])
    whole = model(image[None]).numpy()[0, class_index]
    for top in tops:
        for left in lefts:
            covered = image.copy()
            place = slice(top, top + window), slice(left, left + window)
            covered[place] = color
            fall = whole - model(covered[None]).numpy()[0, class_index]
            total[place] += fall
            count[place] += 1
    return total / count


class OcclusionTest(absltest.TestCase):
    def test_is_the_mean_fall_over_the_windows_of_a_pixel(self):
        model, batch = network(), images()
        found = occlusion.occlusion(
            model, batch, classes=[1, 2], window=3, stride=2, fill=[9, 8, 7]
        )
        for index, class_index in enumerate([1, 2]):
            # The last window ends at the border: 3 more than the last step.
            expected = by_hand(
                model,
                batch[index],
                class_index,
                (0, 2, 4),
                (0, 2, 3),
                3,
                [9, 8, 7],
            )
            np.testing.assert_allclose(found[index], expected, atol=1e-5)

    def test_covers_with_the_mean_colour_unless_told_otherwise(self):
        model, batch = network(), images()
        found = occlusion.occlusion(
            model, batch[:1], classes=0, window=6, stride=1
        )
        color = batch[0].mean(axis=(0, 1))
        expected = by_hand(model, batch[0], 0, (0, 1), (0,), 6, color)
        np.testing.assert_allclose(found[0], expected, atol=1e-5)

    def test_windows_that_leave_gaps_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`stride` is out of range"):
            occlusion.occlusion(network(), images(), window=2, stride=3)


if __name__ == "__main__":
    absltest.main()
