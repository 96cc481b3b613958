"""Tests of Grad-CAM, against class activation maps in closed form."""

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest

import tl_keras
from tl_keras.interpretation import gradcam

SIZE = 12


def images(count=3):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, SIZE, SIZE, 3)).astype(np.float32)


def network(activation=None):
    """Convolutions, the mean over places, and a Dense layer."""
    keras.utils.set_random_seed(1)
    pixels = keras.Input((SIZE, SIZE, 3))
    hidden = keras.layers.Rescaling(1 / 255)(pixels)
    hidden = keras.layers.Conv2D(4, 3, strides=2, name="first")(hidden)
    hidden = keras.layers.ReLU(name="relu")(hidden)
    maps = keras.layers.Conv2D(5, 3, name="maps")(hidden)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    outputs = keras.layers.Dense(4, activation=activation, name="head")(pooled)
    return keras.Model(pixels, outputs)


def class_activation_maps(model, batch, classes):
    """CAM (Zhou et al., 2016), which Grad-CAM is for such a network.

    With the mean over P places, dy / dA[place, k] is w[k] / P everywhere.
    """
    maps = keras.Model(model.inputs, model.get_layer("maps").output)(batch)
    kernel = model.get_layer("head").kernel.numpy()
    places = maps.shape[1] * maps.shape[2]
    sums = np.einsum("bhwk,kb->bhw", maps.numpy(), kernel[:, classes]) / places
    resized = tf.image.resize(np.maximum(sums, 0)[..., None], (SIZE, SIZE))
    return resized.numpy()[..., 0]


class GradCamTest(absltest.TestCase):
    def test_is_the_class_activation_map_behind_a_mean(self):
        model, batch = network(), images()
        classes = model(batch).numpy().argmax(axis=1)
        np.testing.assert_allclose(
            gradcam.grad_cam(model, batch),
            class_activation_maps(model, batch, classes),
            rtol=1e-4,
            atol=1e-6,
        )

    def test_a_softmax_at_the_end_changes_nothing(self):
        plain, ended, batch = network(), network("softmax"), images()
        ended.set_weights(plain.get_weights())
        np.testing.assert_allclose(
            gradcam.grad_cam(ended, batch, classes=2),
            gradcam.grad_cam(plain, batch, classes=2),
            rtol=1e-4,
            atol=1e-7,
        )

    def test_finds_the_layers_of_a_model_within_a_model(self):
        plain, batch = network(), images()
        pixels = keras.Input((SIZE, SIZE, 3))
        outer = keras.Model(pixels, keras.Sequential([plain])(pixels))
        for layer in (None, "relu"):
            np.testing.assert_allclose(
                gradcam.grad_cam(outer, batch, layer=layer, classes=1),
                gradcam.grad_cam(plain, batch, layer=layer, classes=1),
                atol=1e-6,
            )

    def test_an_earlier_layer_matches_gradients_taken_by_hand(self):
        model, batch = network(), images()
        before = keras.Model(model.inputs, model.get_layer("relu").output)
        features = tf.constant(before(batch))
        with tf.GradientTape() as tape:
            tape.watch(features)
            maps = model.get_layer("maps")(features)
            score = model.layers[-1](tf.reduce_mean(maps, (1, 2)))[:, 3]
        weights = tf.reduce_mean(tape.gradient(score, features), (1, 2))
        expected = np.einsum("bhwk,bk->bhw", features, weights)
        expected = tf.image.resize(np.maximum(expected, 0)[..., None], [12, 12])
        np.testing.assert_allclose(
            gradcam.grad_cam(model, batch, classes=3, layer="relu"),
            expected[..., 0],
            atol=1e-6,
        )

    def test_tokens_of_a_transformer_are_places(self):
        keras.utils.set_random_seed(0)
        pixels = keras.Input((SIZE, SIZE, 3))
        patches = keras.layers.Conv2D(6, 4, strides=4)(pixels)
        tokens = keras.layers.Reshape((9, 6))(patches)
        tokens = keras.layers.Dense(6, name="tokens")(tokens)
        pooled = keras.layers.GlobalAveragePooling1D()(tokens)
        head = keras.layers.Dense(2)
        model, batch = keras.Model(pixels, head(pooled)), images()
        kept = keras.Model(pixels, tokens)(batch).numpy()
        expected = (kept @ head.kernel.numpy()[:, 1]).reshape(-1, 3, 3, 1) / 9
        expected = tf.image.resize(np.maximum(expected, 0), (SIZE, SIZE))
        np.testing.assert_allclose(
            gradcam.grad_cam(model, batch, classes=1),
            expected[..., 0],
            rtol=1e-4,
            atol=1e-5,
        )

    def test_a_layer_that_is_not_there_gets_the_list(self):
        with self.assertRaisesRegex(
            ValueError, r"relu \(5 x 5\), maps \(3 x 3\).*Did you mean 'maps'"
        ):
            gradcam.grad_cam(network(), images(), layer="map")

    def test_a_module_is_named_with_the_methods_that_are_left(self):
        folder = self.create_tempdir().full_path
        module = modules_for_tests.image_module(f"{folder}/images")
        model = tl_keras.build(
            tl_keras.encoders.load(f"hub:{module}"),
            tl_keras.heads.Classifier(num_classes=2),
        )
        self.assertFalse(gradcam.can_explain(model))
        with self.assertRaisesRegex(ValueError, "HubEncoder.*'occlusion'"):
            gradcam.grad_cam(model, np.zeros((1, 8, 8, 3)))

    def test_images_of_another_size_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`images` does not fit"):
            gradcam.grad_cam(network(), np.zeros((1, 8, 8, 3)))


if __name__ == "__main__":
    absltest.main()
