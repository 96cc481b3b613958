"""Tests of LIME and SHAP through their packages, where they are linear."""

import sys
from unittest import mock

import keras
import numpy as np
from absl.testing import absltest

from tl_keras.interpretation import lime
from tl_keras.interpretation import shap

SIZE = 28


def linear_model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((SIZE, SIZE, 3)), keras.layers.Rescaling(1 / 255)]
    return keras.Sequential(
        [*layers, keras.layers.Flatten(), keras.layers.Dense(2)]
    )


def image():
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (1, 4, 4, 3))
    return coarse.repeat(7, axis=1).repeat(7, axis=2).astype(np.float32)


def contributions(model, images, class_index):
    """What each pixel of a black canvas adds to the logit of the model."""
    kernel = model.get_weights()[0][:, class_index]
    return (images / 255 * kernel.reshape(SIZE, SIZE, 3)).sum(axis=-1)


class PartsTest(absltest.TestCase):
    def test_shap_shares_an_interaction_out(self):
        # x0 and x1 count together only: each has half of the 2.
        found = shap.of_parts(lambda x: 2 * x[:, 0] * x[:, 1] + x[:, 2], 3)
        np.testing.assert_allclose(found, [1, 1, 1], atol=1e-6)

    def test_shap_of_one_part_is_the_whole_difference(self):
        found = shap.of_parts(lambda x: 3 * x[:, 0] - 1, 1)
        np.testing.assert_allclose(found, [3])

    def test_lime_finds_the_weights_of_a_linear_model(self):
        weights = np.linspace(-2, 3, 12)
        found = lime.of_parts(lambda keep: keep @ weights, 12)
        np.testing.assert_allclose(found, weights, atol=0.1)

    def test_both_follow_from_their_seed(self):
        def curved(keep):
            return np.tanh(keep @ np.linspace(-2, 3, 12)) + keep[:, 0]

        for package in (lime, shap):
            before = np.random.get_state()[1].copy()
            one, other, third = (
                package.of_parts(curved, 12, num_samples=100, seed=seed)
                for seed in (5, 5, 6)
            )
            np.testing.assert_array_equal(one, other)
            self.assertFalse(np.array_equal(one, third))
            np.testing.assert_array_equal(np.random.get_state()[1], before)


class ImagesTest(absltest.TestCase):
    def test_shap_gives_each_square_what_it_adds(self):
        model, images = linear_model(), image()
        found = shap.shap(
            model, images, classes=1, cells=4, num_samples=200, fill=0
        )
        squares = contributions(model, images, 1).reshape(4, 7, 4, 7)
        np.testing.assert_allclose(
            found[0, ::7, ::7], squares.sum(axis=(1, 3)), atol=1e-4
        )

    def test_lime_gives_superpixels_about_what_they_add(self):
        model, images = linear_model(), image()
        found = lime.lime(
            model, images, classes=1, num_segments=9, num_samples=200, fill=0
        )[0]
        expected = contributions(model, images, 1)[0]
        for value in np.unique(found):
            segment = found == value
            self.assertAlmostEqual(
                float(value), float(expected[segment].sum()), delta=0.1
            )

    def test_a_package_that_is_missing_is_named(self):
        for name, module in (("lime", lime), ("shap", shap)):
            with mock.patch.dict(sys.modules, {name: None}):
                with self.assertRaisesRegex(ImportError, r"\[explain\]"):
                    module.of_parts(lambda keep: keep[:, 0], 2)


if __name__ == "__main__":
    absltest.main()
