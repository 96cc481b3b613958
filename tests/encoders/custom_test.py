"""Tests of encoders made from any Keras model."""

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import encoders


def _model(size=8, channels=3):
    pixels = keras.Input((size, size, channels))
    values = keras.layers.Conv2D(4, 3, name="conv1")(pixels)
    values = keras.layers.BatchNormalization(name="norm1")(values)
    values = keras.layers.Conv2D(6, 3, name="conv2")(values)
    return keras.Model(pixels, values, name="mine")


_GROUPS = {"stem": ["conv1", "norm1"], "top": ["conv2"]}


def _pixels(channels=3):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (2, 8, 8, channels)).astype("float32")


class FromModelTest(parameterized.TestCase):
    @parameterized.parameters("caffe", "tf", "torch")
    def test_puts_a_convention_in_front(self, convention):
        model = _model()
        encoder = encoders.from_model(model, convention, _GROUPS)
        values = keras.applications.imagenet_utils.preprocess_input(
            _pixels(), mode=convention
        )
        np.testing.assert_allclose(
            encoder.model(_pixels()), model(values), rtol=1e-4, atol=1e-4
        )
        self.assertEqual(encoder.preprocessing, convention)

    @parameterized.parameters((None, "none"), ("none",) * 2, ("in_model",) * 2)
    def test_puts_nothing_in_front(self, preprocessing, expected):
        model = _model()
        encoder = encoders.from_model(model, preprocessing, _GROUPS)
        np.testing.assert_array_equal(
            encoder.model(_pixels()), model(_pixels())
        )
        self.assertEqual(encoder.preprocessing, expected)
        self.assertIsNone(encoder.preprocessing_output)
        self.assertEqual(encoder.trained_range, (0, 255))

    def test_puts_a_list_of_layers_in_front(self):
        model = _model(channels=1)
        layers = [
            keras.layers.Rescaling(1 / 255),
            keras.layers.Normalization(mean=[0.5], variance=[0.25]),
        ]
        encoder = encoders.from_model(model, layers, _GROUPS)
        np.testing.assert_allclose(
            encoder.model(_pixels(1)),
            model((_pixels(1) / 255 - 0.5) / 0.5),
            atol=1e-5,
        )
        self.assertEqual(encoder.preprocessing, "custom")
        # (0 - 0.5) / 0.5 and (1 - 0.5) / 0.5.
        np.testing.assert_allclose(encoder.trained_range, (-1, 1), atol=1e-6)

    def test_leaves_the_model_alone(self):
        model = _model()
        encoder = encoders.from_model(model, "tf", _GROUPS)
        before = model(_pixels()).numpy()
        weights = [0 * weight for weight in encoder.model.get_weights()]
        encoder.model.set_weights(weights)
        np.testing.assert_array_equal(model(_pixels()), before)

    def test_takes_layers_for_their_names(self):
        model = _model()
        conv1, norm1, conv2 = model.layers[1:]
        encoder = encoders.from_model(
            model, None, {"a": [conv1, norm1], "b": [conv2]}
        )
        self.assertEqual(
            encoder.groups, {"a": ("conv1", "norm1"), "b": ("conv2",)}
        )

    def test_without_groups_makes_one(self):
        encoder = encoders.from_model(_model(), None, None)
        self.assertEqual(
            encoder.groups, {"encoder": ("conv1", "norm1", "conv2")}
        )

    def test_without_groups_makes_one_for_each_nested_model(self):
        pixels = keras.Input((12, 12, 3))
        values = keras.layers.Conv2D(3, 5, name="first")(pixels)
        values = _model()(values)
        values = keras.layers.Conv2D(2, 1, name="last")(values)
        encoder = encoders.from_model(keras.Model(pixels, values), None, None)
        self.assertEqual(
            encoder.groups, {"stem": ("first",), "mine": ("mine", "last")}
        )

    @parameterized.parameters(
        ((None, None, 3), r"\(None, None, None, 3\).*clone_model"),
        ((8, 9, 3), r"\(None, 8, 9, 3\)"),
        ((8, 8, 2), r"1, 3 or 4 channels"),
    )
    def test_refuses_images_without_one_size(self, shape, why):
        pixels = keras.Input(shape)
        features = keras.layers.Conv2D(2, 3, name="conv")(pixels)
        with self.assertRaisesRegex(ValueError, why):
            encoders.from_model(keras.Model(pixels, features), None, None)

    @parameterized.parameters(
        ("pytorch", ValueError, "mean 'torch'"),
        (1 / 255, TypeError, "`preprocessing` has the wrong type"),
        (keras.layers.Flatten(), ValueError, "keep the shape"),
        (keras.layers.Normalization(), ValueError, "must have no weights"),
    )
    def test_refuses_preprocessing(self, preprocessing, error, why):
        with self.assertRaisesRegex(error, why):
            encoders.from_model(_model(), preprocessing, _GROUPS)

    def test_refuses_a_convention_for_rgb_in_front_of_grey(self):
        with self.assertRaisesRegex(
            ValueError, "with 1 channels. Pass a layer"
        ):
            encoders.from_model(_model(channels=1), "caffe", _GROUPS)

    def test_refuses_groups_that_leave_out_a_layer(self):
        with self.assertRaisesRegex(ValueError, "in no group: conv2"):
            encoders.from_model(_model(), None, {"stem": ["conv1", "norm1"]})


if __name__ == "__main__":
    absltest.main()
