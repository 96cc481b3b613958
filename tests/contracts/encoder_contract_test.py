"""What every encoder promises. A new encoder adds one line to `ENCODERS`."""

import os

import keras
import numpy as np
import pytest
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import encoders
from tl_keras import graph
from tl_keras.encoders import groups as groups_lib
from tl_keras.encoders.encoder import PREPROCESSINGS


def application(name, image_size, **options):
    """An Application with random weights, and plain Keras' way of the same.

    Returns:
        A function without arguments that gives an encoder and a reference: a
        function from pixels to what plain Keras makes of them.
    """

    def make():
        encoder = encoders.load(name, image_size, weights=None, **options)
        function = getattr(keras.applications, name)
        plain = function(
            include_top=False,
            weights=None,
            input_shape=(image_size, image_size, 3),
            **options,
        )
        copy_weights(encoder.model, plain)
        module_name = function.__module__.rpartition(".")[2]
        module = getattr(keras.applications, module_name)

        def reference(pixels):
            return plain(module.preprocess_input(pixels.copy()))

        return encoder, reference

    return make


def copy_weights(source, target):
    """Sets the weights of `target` to those of `source`, layer by layer."""
    pairs = zip(
        [layer for layer in source.layers if layer.weights],
        [layer for layer in target.layers if layer.weights],
        strict=True,
    )
    for one, other in pairs:
        other.set_weights(one.get_weights())


def tiny():
    """The tiny encoder, with its preprocessing written out as a reference."""
    encoder = encoders.load("tiny", 32)
    network = keras.Model(
        encoder.model.get_layer(encoder.preprocessing_output).output,
        encoder.model.outputs[0],
    )
    return encoder, lambda pixels: network(pixels / 127.5 - 1)


def own_model():
    """A model made on the spot, and itself with scaled pixels."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((12, 12, 3))
    values = keras.layers.Conv2D(4, 3, name="conv1")(pixels)
    values = keras.layers.BatchNormalization(name="norm1")(values)
    values = keras.layers.Conv2D(6, 3, strides=2, name="conv2")(values)
    model = keras.Model(pixels, values)
    groups = {"stem": ["conv1", "norm1"], "top": ["conv2"]}
    encoder = encoders.from_model(
        model, keras.layers.Rescaling(1 / 255), groups
    )
    return encoder, lambda pixels: model(pixels / 255)


# One small model of each family; all 40 are in
# `benchmarks/check_applications.py`.
ENCODERS = (
    ("tiny", tiny),
    ("from_model", own_model),
    ("convnext", application("ConvNeXtTiny", 32)),
    ("efficientnet", application("EfficientNetB0", 32)),
    ("mobilenet", application("MobileNet", 32, alpha=0.25)),
    ("mobilenet_v2", application("MobileNetV2", 32, alpha=0.35)),
    ("mobilenet_v3", application("MobileNetV3Small", 32)),
    ("resnet", application("ResNet50", 32)),
    ("resnet_v2", application("ResNet50V2", 32)),
    ("vgg", application("VGG16", 32)),
    ("xception", application("Xception", 71)),
)
# Those with many layers take ten seconds each.
DEEP_ENCODERS = (
    ("densenet", application("DenseNet121", 32)),
    ("efficientnet_v2", application("EfficientNetV2B0", 32)),
    ("inception_resnet_v2", application("InceptionResNetV2", 75)),
    ("inception_v3", application("InceptionV3", 75)),
    ("nasnet", application("NASNetMobile", 32)),
)


class EncoderContractTest(parameterized.TestCase):
    # The checks of one encoder stand in one test, since some take seconds to
    # make.
    @parameterized.named_parameters(*ENCODERS)
    def test_keeps_the_contract(self, make):
        self._check(make)

    @parameterized.named_parameters(*DEEP_ENCODERS)
    @pytest.mark.slow
    def test_keeps_the_contract_though_deep(self, make):
        self._check(make)

    def _check(self, make):
        encoder, reference = make()
        pixels = some_pixels(encoder)
        features = encoder.model(pixels).numpy()
        with self.subTest("takes pixels and gives features of its width"):
            check_shapes(self, encoder, features)
        with self.subTest("its groups partition its weights in graph order"):
            check_groups(self, encoder)
        with self.subTest("what the network gets lies in its trained range"):
            check_range(self, encoder, pixels)
        with self.subTest("equals the network after its own preprocessing"):
            assert_close(features, reference(pixels))
        with self.subTest("answers as before when Keras has reloaded it"):
            path = os.path.join(self.create_tempdir(), "encoder.keras")
            encoder.model.save(path)
            reloaded = keras.models.load_model(path)
            np.testing.assert_array_equal(reloaded(pixels), features)


def some_pixels(encoder):
    """Two images of whole numbers in 0..255, with both ends among them."""
    shape = (2, *encoder.input_spec.shape)
    pixels = np.random.default_rng(0).integers(0, 256, shape)
    pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
    return pixels.astype("float32")


def assert_close(actual, expected):
    """Equal to float rounding, measured by the largest feature."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(
        np.asarray(actual), expected, rtol=0, atol=1e-4 * abs(expected).max()
    )
    # A network that answers the same to all images would pass anything.
    assert abs(expected[0] - expected[1]).max() > 1e-3 * abs(expected).max()


def check_shapes(test, encoder, features):
    test.assertEqual(
        encoder.model.input_shape, (None, *encoder.input_spec.shape)
    )
    test.assertEqual(encoder.model.inputs[0].dtype, "float32")
    test.assertEqual(features.shape[-1], encoder.feature_width)
    test.assertGreaterEqual(encoder.input_spec.size, encoder.min_image_size)
    test.assertTrue(np.isfinite(features).all())


def check_groups(test, encoder):
    listed = [layer for group in encoder.groups.values() for layer in group]
    with_weights = groups_lib.layers_with_weights(encoder.model)
    test.assertCountEqual(listed, with_weights)
    position = groups_lib.group_indices(encoder.model, encoder.groups)
    for operation, inputs in graph.inputs_of(encoder.model).items():
        for one in inputs:
            test.assertLessEqual(position[one], position[operation])


def check_range(test, encoder, pixels):
    test.assertIn(encoder.preprocessing, PREPROCESSINGS)
    values = pixels
    if encoder.preprocessing_output is not None:
        layer = encoder.model.get_layer(encoder.preprocessing_output)
        values = keras.Model(encoder.model.inputs[0], layer.output)(pixels)
    # The pixels reach 0 and 255 in every channel, so both ends occur.
    low, high = encoder.trained_range
    np.testing.assert_allclose(np.min(values), low, atol=1e-3)
    np.testing.assert_allclose(np.max(values), high, atol=1e-3)


if __name__ == "__main__":
    absltest.main()
