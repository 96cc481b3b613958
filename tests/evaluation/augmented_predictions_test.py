"""Tests of the mean answer to several views of an image."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import models
from tl_keras.evaluation import augmented_predictions


def network(activation=None):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(3, activation)]
    return keras.Sequential(layers)


def images():
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)


def probabilities(model, batch):
    return tf.nn.softmax(model(batch)).numpy()


class OverViewsTest(parameterized.TestCase):
    def test_flip_is_the_mean_of_two(self):
        model, batch = network(), images()
        averaged = augmented_predictions.over_views(model, "flip")
        expected = probabilities(model, batch)
        expected = (expected + probabilities(model, batch[:, :, ::-1])) / 2
        np.testing.assert_allclose(averaged(batch), expected, rtol=1e-5)

    def test_crops_are_the_mean_of_ten(self):
        model, batch = network(), images()
        averaged = augmented_predictions.over_views(model, "crops")
        # Seven eighths of 16 are 14: two pixels to spare, the middle at 1.
        views = []
        for top, left in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1)):
            crop = batch[:, top : top + 14, left : left + 14]
            resized = tf.image.resize(crop, (16, 16)).numpy()
            views += [resized, resized[:, :, ::-1]]
        expected = np.mean([probabilities(model, v) for v in views], axis=0)
        np.testing.assert_allclose(averaged(batch), expected, atol=1e-5)

    @parameterized.parameters(None, "softmax")
    def test_gives_probabilities_and_says_so(self, activation):
        averaged = augmented_predictions.over_views(network(activation), "flip")
        self.assertFalse(models.outputs_are_logits(averaged))
        np.testing.assert_allclose(
            averaged(images()).numpy().sum(axis=1), 1, rtol=1e-5
        )

    def test_refuses_other_views_and_other_inputs(self):
        with self.assertRaisesRegex(ValueError, "test_time_augmentation"):
            augmented_predictions.over_views(network(), "flips")
        texts = keras.Input((), dtype="string")
        bag = keras.layers.TextVectorization(
            vocabulary=["a"], output_mode="multi_hot"
        )
        model = keras.Model(texts, keras.layers.Dense(2)(bag(texts)))
        with self.assertRaisesRegex(ValueError, "is for images"):
            augmented_predictions.over_views(model, "flip")


if __name__ == "__main__":
    absltest.main()
