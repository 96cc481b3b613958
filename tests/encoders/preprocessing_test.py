"""Tests of the preprocessing conventions against Keras' own functions."""

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized
from keras.applications import imagenet_utils

from tl_keras.encoders import preprocessing


def _apply(convention, pixels):
    values = pixels
    for layer in preprocessing.layers(convention):
        values = layer(values)
    return np.asarray(values)


class PreprocessingTest(parameterized.TestCase):
    @parameterized.parameters("caffe", "tf", "torch")
    def test_equals_keras_preprocess_input(self, convention):
        rng = np.random.default_rng(0)
        pixels = rng.uniform(0, 255, (2, 5, 5, 3)).astype("float32")
        np.testing.assert_allclose(
            _apply(convention, pixels),
            imagenet_utils.preprocess_input(pixels.copy(), mode=convention),
            rtol=1e-5,
            atol=1e-5,
        )

    @parameterized.parameters(
        ("vgg16", "caffe"),
        ("resnet", "caffe"),
        ("resnet_v2", "tf"),
        ("densenet", "torch"),
        ("convnext", "in_model"),
        ("mobilenet_v3", "in_model"),
    )
    def test_finds_the_convention_of_a_module(self, module, expected):
        function = getattr(keras.applications, module).preprocess_input
        self.assertEqual(preprocessing.convention_of(function), expected)

    def test_refuses_a_convention_that_is_not_known(self):
        with self.assertRaisesRegex(ValueError, "caffe, tf, torch.*from_model"):
            preprocessing.convention_of(lambda pixels: pixels / 255)

    @parameterized.parameters(
        ("tf", -1.0, 1.0),
        # The smallest mean with the largest; from the published statistics.
        ("caffe", -123.68, 255 - 103.939),
        ("torch", -0.485 / 0.229, (1 - 0.406) / 0.225),
        ("in_model", 0.0, 255.0),
        ("none", 0.0, 255.0),
    )
    def test_range_is_what_black_and_white_become(self, convention, low, high):
        found = preprocessing.output_range(
            preprocessing.layers(convention), channels=3
        )
        np.testing.assert_allclose(found, (low, high), rtol=1e-5)


if __name__ == "__main__":
    absltest.main()
