"""Tests of what tells a meaningless map: curves, shuffled weights, checks."""

import keras
import numpy as np
from absl.testing import absltest

from tl_keras.interpretation import curves
from tl_keras.interpretation import gradcam
from tl_keras.interpretation import randomisation
from tl_keras.interpretation import sanity

SIZE = 28
# Two by two of the fourteen squares a side that the curves work with.
PATCH = slice(8, 12)


def patch_model():
    """Class 1 is what is bright in one patch; nothing else is looked at."""
    pixels = keras.Input((SIZE, SIZE, 1))
    hidden = keras.layers.Flatten()(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2)(hidden))
    kernel = np.zeros((SIZE, SIZE, 2), np.float32)
    kernel[PATCH, PATCH, 1] = 10 / (16 * 255)
    model.set_weights([kernel.reshape(-1, 2), np.array([0.0, -5])])
    return model


def patch_image():
    image = np.zeros((1, SIZE, SIZE, 1), np.float32)
    image[0, PATCH, PATCH] = 255
    return image


def patch_map():
    return (patch_image()[..., 0] > 0).astype(float)


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


class CurvesTest(absltest.TestCase):
    def test_deletion_of_the_planted_patch_falls_at_the_first_step(self):
        found = curves.deletion(
            patch_model(), patch_image(), patch_map(), classes=1, fill=0
        )
        # A step is 14 of the 196 squares, the patch 4 of them: the logit
        # falls from 10 - 5 to -5 at once.
        expected = np.full(15, sigmoid(-5.0))
        expected[0] = sigmoid(5.0)
        np.testing.assert_allclose(found[0], expected, atol=1e-5)

    def test_deletion_of_all_else_first_falls_at_the_last_step(self):
        found = curves.deletion(
            patch_model(), patch_image(), 1 - patch_map(), classes=1, fill=0
        )
        expected = np.full(15, sigmoid(5.0))
        expected[-1] = sigmoid(-5.0)
        np.testing.assert_allclose(found[0], expected, atol=1e-5)

    def test_insertion_of_the_planted_patch_rises_at_the_first_step(self):
        model, image = patch_model(), patch_image()
        found = curves.insertion(model, image, patch_map(), classes=1)[0]
        self.assertLess(found[0], 0.5)
        np.testing.assert_allclose(found[1:], sigmoid(5.0), atol=1e-5)

    def test_the_area_is_that_of_trapezia(self):
        # Two of them, 0.5 wide: (1 + 0.4) / 2 * 0.5 + (0.4 + 0) / 2 * 0.5.
        self.assertAlmostEqual(float(curves.area([1.0, 0.4, 0.0])), 0.45)

    def test_a_map_of_another_shape_or_with_nan_is_refused(self):
        for maps in (np.ones((1, 4, 4)), np.full((1, SIZE, SIZE), np.nan)):
            with self.assertRaisesRegex(ValueError, "`maps` does not fit"):
                curves.deletion(patch_model(), patch_image(), maps)


class ShuffledWeightsTest(absltest.TestCase):
    def test_weights_are_shuffled_and_come_back_after_an_error(self):
        model = patch_model()
        before = model.get_weights()
        with self.assertRaisesRegex(RuntimeError, "stop"):
            with randomisation.shuffled_weights(model):
                inside = model.get_weights()
                raise RuntimeError("stop")
        for one, other, after in zip(
            before, inside, model.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, after)
            np.testing.assert_array_equal(
                np.sort(one, None), np.sort(other, None)
            )
        self.assertFalse(np.array_equal(before[0], inside[0]))

    def test_the_order_follows_from_the_seed(self):
        model, found = patch_model(), []
        for seed in (3, 3, 4):
            with randomisation.shuffled_weights(model, seed):
                found.append(model.get_weights()[0])
        np.testing.assert_array_equal(found[0], found[1])
        self.assertFalse(np.array_equal(found[0], found[2]))


class CheckTest(absltest.TestCase):
    def test_a_map_of_what_matters_passes(self):
        def slopes(scores, images, classes):
            kernel = scores.model.get_weights()[0][:, 1]
            return kernel.reshape(1, SIZE, SIZE) * images[..., 0]

        model, image = patch_model(), patch_image()
        rng = np.random.default_rng(0)
        image = np.maximum(image, rng.uniform(0, 50, image.shape))
        [found] = sanity.check(
            model, image, patch_map(), slopes, classes=1, seed=0
        )
        self.assertTrue(found.passes)
        self.assertLess(found.deletion_area, found.random_deletion_area)
        self.assertGreater(found.insertion_area, found.random_insertion_area)
        self.assertLess(abs(found.randomised_correlation), 0.5)

    def test_a_map_of_the_image_alone_fails(self):
        def brightness(scores, images, classes):
            return images[..., 0]

        model, image = patch_model(), patch_image()
        # It finds the patch, and would find it whatever the model learned.
        [found] = sanity.check(
            model, image, image[..., 0], brightness, classes=1
        )
        self.assertAlmostEqual(found.randomised_correlation, 1.0)
        self.assertFalse(found.passes)

    def test_a_map_that_is_the_same_everywhere_has_no_correlation(self):
        self.assertIsNone(sanity.rank_correlation(np.ones(4), np.arange(4)))

    def test_grad_cam_is_asked_again_with_shuffled_weights(self):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)]
        layers += [keras.layers.GlobalAveragePooling2D()]
        model = keras.Sequential([*layers, keras.layers.Dense(2)])
        images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3))

        def method(scores, images, classes):
            return gradcam.grad_cam(scores, images, classes=classes)

        before = model.get_weights()
        found = sanity.check(model, images, method(model, images, 0), method)
        self.assertLen(found, 2)
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


if __name__ == "__main__":
    absltest.main()
