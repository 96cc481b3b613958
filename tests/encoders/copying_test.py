"""Tests of copies of models onto other inputs."""

import keras
import numpy as np
from absl.testing import absltest

from tl_keras.encoders import copying


def _model():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3))
    values = keras.ops.flip(pixels, axis=1)
    nested = [keras.layers.Conv2D(4, 2, name="conv"), keras.layers.ReLU()]
    values = keras.Sequential(nested, name="stem")(values)
    values = keras.layers.BatchNormalization(name="norm")(values)
    return keras.Model([pixels], values)


def _images():
    return np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")


class CopyTest(absltest.TestCase):
    def test_answers_as_the_model_on_what_the_layers_read(self):
        model = _model()
        pixels = keras.Input((8, 8, 3))
        doubled = keras.layers.Rescaling(2.0)(pixels)
        copied = copying.copy(
            model, pixels, lambda _, one: doubled if one is pixels else one
        )
        images = _images()
        np.testing.assert_array_equal(copied(images), model([2 * images]))

    def test_shares_no_weights_with_the_model(self):
        model = _model()
        pixels = keras.Input((8, 8, 3))
        copied = copying.copy(model, pixels, lambda _, tensor: tensor)
        before = model([_images()]).numpy()
        copied.set_weights([0 * weight for weight in copied.get_weights()])
        np.testing.assert_array_equal(model([_images()]), before)


if __name__ == "__main__":
    absltest.main()
