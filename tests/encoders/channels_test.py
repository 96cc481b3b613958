"""Tests of grey images and of a fourth channel."""

import os
import subprocess
import sys

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.encoders import applications

# Padding in front of the first convolution, that convolution inside a nested
# model, preprocessing in the model, and none of these.
_FAMILIES = (
    ("ResNet50", {}),
    ("ConvNeXtTiny", {}),
    ("EfficientNetB0", {}),
    ("MobileNetV2", {"alpha": 0.35}),
)


def _load(name, channels, options):
    return applications.load(
        name, 32, weights=None, channels=channels, **options
    )


def _copy_weights(source, target):
    for layer in source.layers:
        if layer.weights:
            target.get_layer(layer.name).set_weights(layer.get_weights())


def _pixels(channels, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 255, (2, 32, 32, channels)).astype("float32")


class ChannelsTest(parameterized.TestCase):
    def test_grey_equals_the_same_grey_three_times(self):
        grey = _load("MobileNetV2", 1, {"alpha": 0.35})
        rgb = _load("MobileNetV2", 3, {"alpha": 0.35})
        _copy_weights(grey.model, rgb.model)
        pixels = _pixels(1)
        np.testing.assert_array_equal(
            grey.model(pixels), rgb.model(np.repeat(pixels, 3, axis=-1))
        )

    @parameterized.parameters(*_FAMILIES)
    def test_fourth_channel_changes_nothing_at_first(self, name, options):
        model = _load(name, 4, options).model
        pixels = _pixels(4)
        other = pixels.copy()
        other[..., 3] = 255 - other[..., 3]
        np.testing.assert_array_equal(model(pixels), model(other))

    def test_fourth_channel_counts_once_its_weights_are_learned(self):
        model = _load("MobileNetV2", 4, {"alpha": 0.35}).model
        kernel = model.get_layer("Conv1").kernel
        self.assertEqual(tuple(kernel.shape[:3]), (3, 3, 4))
        value = np.array(kernel)
        np.testing.assert_array_equal(value[:, :, 3], 0)
        kernel.assign(np.where(value == 0, 0.1, value))
        pixels = _pixels(4)
        other = pixels.copy()
        other[..., 3] = 255 - other[..., 3]
        self.assertGreater(abs(model(pixels) - model(other)).numpy().max(), 0)

    def test_plain_keras_reloads_four_channels_in_a_process_of_its_own(self):
        # Reversed channels, a split, a join: all that we put in front.
        model = _load("ResNet50", 4, {}).model
        folder = self.create_tempdir().full_path
        model.save(os.path.join(folder, "encoder.keras"))
        np.save(os.path.join(folder, "pixels.npy"), _pixels(4))
        script = (
            "import keras, numpy as np\n"
            "model = keras.models.load_model('encoder.keras')\n"
            "np.save('features.npy', model(np.load('pixels.npy')))\n"
        )
        subprocess.run(
            [sys.executable, "-I", "-c", script], cwd=folder, check=True
        )
        np.testing.assert_array_equal(
            np.load(os.path.join(folder, "features.npy")), model(_pixels(4))
        )


if __name__ == "__main__":
    absltest.main()
