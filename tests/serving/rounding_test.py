"""Tests of what rounding kernels does to the mean of a layer's output."""

import pathlib
from unittest import mock

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import graph
from tl_keras.serving import litert
from tl_keras.serving import rounding


def _rounded(kernel, axes):
    """A kernel with 255 values a channel, in NumPy."""
    step = np.abs(kernel).max(axis=axes, keepdims=True) / 127
    return np.round(kernel / step) * step


def _randomized(model):
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.normal(size=w.shape).astype("float32") for w in model.weights]
    )
    return model


class ShiftsTest(parameterized.TestCase):
    def test_is_the_mean_error_of_the_rounded_kernel(self):
        model = _randomized(
            keras.Sequential([keras.Input((20,)), keras.layers.Dense(4)])
        )
        inputs = np.random.default_rng(1).uniform(0, 6, (50, 20))
        kernel, _ = model.get_weights()
        expected = inputs.mean(axis=0) @ (_rounded(kernel, 0) - kernel)
        [shift] = rounding.shifts(model, inputs.astype("float32"))
        np.testing.assert_allclose(shift, expected, rtol=1e-3, atol=1e-5)

    @parameterized.parameters(
        (keras.layers.Conv2D(4, 3), {"kernel": (0, 1, 2)}),
        (keras.layers.DepthwiseConv2D(3), {"depthwise": (0, 1)}),
        (
            keras.layers.SeparableConv2D(4, 3),
            {"depthwise": (0, 1), "pointwise": (0, 1, 2)},
        ),
    )
    def test_rounds_each_output_channel_by_itself(self, layer, axes):
        model = _randomized(keras.Sequential([keras.Input((8, 8, 3)), layer]))
        images = np.random.default_rng(1).uniform(0, 6, (4, 8, 8, 3))
        images = images.astype("float32")
        before = np.array(model(images))
        [shift] = rounding.shifts(model, images)
        weights = model.get_weights()
        for position, axis in enumerate(axes.values()):
            weights[position] = _rounded(weights[position], axis)
        model.set_weights(weights)
        error = np.mean(np.array(model(images)) - before, axis=(0, 1, 2))
        np.testing.assert_allclose(shift, error, rtol=1e-3, atol=1e-5)
        self.assertGreater(np.abs(error).max(), 1e-3)

    def test_a_layer_sees_what_the_corrected_ones_before_it_give(self):
        layers = [keras.layers.Dense(6), keras.layers.Dense(4)]
        model = _randomized(keras.Sequential([keras.Input((20,)), *layers]))
        inputs = np.random.default_rng(1).uniform(0, 6, (50, 20))
        inputs = inputs.astype("float32")
        second, _ = layers[1].get_weights()
        hidden = np.array(layers[0](inputs))
        # What is taken off the first makes its mean what it was, so the
        # second's shift is that of its own kernel.
        shifts = rounding.shifts(model, inputs)
        np.testing.assert_allclose(
            shifts[1],
            hidden.mean(axis=0) @ (_rounded(second, 0) - second),
            rtol=1e-3,
            atol=1e-4,
        )

    def test_what_has_no_kernel_or_an_activation_is_left_alone(self):
        model = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Conv2D(4, 3, activation="relu"),
                keras.layers.BatchNormalization(),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(2),
            ]
        )
        shifts = rounding.shifts(model, np.ones((2, 8, 8, 3), "float32"))
        self.assertEqual(
            [shift is None for shift in shifts], [True, True, True, False]
        )

    def test_changes_no_weight(self):
        model = _randomized(
            keras.Sequential([keras.Input((20,)), keras.layers.Dense(4)])
        )
        before = model.get_weights()
        rounding.shifts(model, np.ones((2, 20), "float32"))
        for weight, was in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, was)


class WithoutTest(absltest.TestCase):
    def test_takes_the_shift_of_each_call_off(self):
        inputs = keras.Input((2,))
        shared = keras.layers.Dense(2, use_bias=False)
        hidden = keras.layers.ReLU()(shared(inputs))
        model = keras.Model(inputs, shared(hidden))
        shared.set_weights([np.eye(2, dtype="float32")])
        call = rounding.without([np.float32([1, 2]), None, np.float32([5, 0])])
        [outputs] = graph.flat(model).run([np.float32([[3, 1]])], call)
        # (3, 1) - (1, 2) = (2, -1), its ReLU (2, 0), and (2, 0) - (5, 0).
        np.testing.assert_allclose(outputs, [[-3, 0]])

    def test_an_int8_file_is_nearer_to_its_model(self):
        layers = [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
        model = keras.Sequential(layers)
        # A step is 1.27 / 127 = 0.01, so that 767 weights of 0.0049 are
        # rounded to 0: 767 * 0.0049 / 2 = 1.9 of each logit is lost.
        kernel = np.full((768, 2), 0.0049) * [1, -1]
        kernel[0] = 1.27
        model.layers[-1].set_weights([kernel, np.zeros(2)])
        images = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 3))
        images = images.astype("uint8")
        expected = np.array(keras.ops.softmax(model(images)))
        folder = pathlib.Path(self.create_tempdir().full_path)

        def largest_error():
            path = litert.convert(
                model, folder / "a.tflite", form="int8", calibration=[images]
            )
            return np.abs(litert.predictor(path)(images) - expected).max()

        self.assertLess(largest_error(), 0.02)
        none = [None] * len(graph.flat(model).calls)
        with mock.patch.object(rounding, "shifts", return_value=none):
            self.assertGreater(largest_error(), 0.4)


if __name__ == "__main__":
    absltest.main()
