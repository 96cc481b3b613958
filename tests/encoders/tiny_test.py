"""Tests of the tiny encoder and of its packaged weights."""

import os
import warnings

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from sklearn import datasets
from sklearn import discriminant_analysis
from sklearn import model_selection

from tl_keras.encoders import tiny


def _pixels(size=32, channels=3, count=4, seed=0):
    rng = np.random.default_rng(seed)
    shape = (count, size, size, channels)
    return rng.integers(0, 256, shape).astype("float32")


def _features(encoder, images):
    return encoder.model.predict(images, batch_size=500, verbose=0)


class TinyTest(parameterized.TestCase):
    def test_has_a_stem_and_three_stages_with_all_weights(self):
        encoder = tiny.load(weights=None)
        self.assertEqual(
            list(encoder.groups), ["stem", "stage1", "stage2", "stage3"]
        )
        self.assertEqual(encoder.groups["stem"], ("stem_conv", "stem_norm"))
        # Two convolutions and a shortcut, each with its normalization.
        self.assertLen(encoder.groups["stage2"], 6)

    def test_has_as_many_parameters_as_the_architecture_says(self):
        # Convolutions 3x3: 3 x 16; then per stage in x width and width x
        # width, and 1x1: in x width. Four numbers per normalized channel.
        convolutions = 9 * 3 * 16 + sum(
            9 * before * width + 9 * width * width + before * width
            for before, width in ((16, 32), (32, 64), (64, 128))
        )
        normalizations = 4 * (16 + 3 * (32 + 64 + 128))
        self.assertEqual(
            tiny.network().count_params(), convolutions + normalizations
        )

    @parameterized.parameters((16, 2), (32, 4), (45, 6))
    def test_halves_the_image_three_times(self, image_size, expected):
        encoder = tiny.load(image_size)
        features = _features(encoder, _pixels(image_size))
        self.assertEqual(features.shape, (4, expected, expected, 128))
        self.assertTrue(np.all(np.isfinite(features)))

    def test_network_proper_gets_values_from_minus_one_to_one(self):
        encoder = tiny.load(weights=None)
        scaled = keras.Model(
            encoder.model.input,
            encoder.model.get_layer(encoder.preprocessing_output).output,
        )
        pixels = np.full((1, 32, 32, 3), [0.0, 127.5, 255.0], "float32")
        values = scaled(pixels)[0, 0, 0]
        np.testing.assert_allclose(values, [-1.0, 0.0, 1.0], atol=1e-6)

    def test_matches_a_forward_pass_written_in_tensorflow(self):
        model = tiny.load().model
        weights = {weight.path: weight.numpy() for weight in model.weights}

        def convolution(inputs, name, norm, strides):
            outputs = tf.nn.conv2d(
                inputs, weights[f"{name}/kernel"], strides, "SAME"
            )
            mean, variance, beta, gamma = (
                weights[f"{norm}/{kind}"]
                for kind in ("moving_mean", "moving_variance", "beta", "gamma")
            )
            return (outputs - mean) / np.sqrt(variance + 1e-3) * gamma + beta

        images = _pixels(seed=1)
        values = images / 127.5 - 1
        values = tf.nn.relu(convolution(values, "stem_conv", "stem_norm", 1))
        for stage in ("stage1", "stage2", "stage3"):
            main = convolution(values, f"{stage}_conv1", f"{stage}_norm1", 2)
            main = convolution(
                tf.nn.relu(main), f"{stage}_conv2", f"{stage}_norm2", 1
            )
            shortcut = convolution(
                values, f"{stage}_shortcut_conv", f"{stage}_shortcut_norm", 2
            )
            values = tf.nn.relu(main + shortcut)
        np.testing.assert_allclose(model(images), values, rtol=1e-3, atol=1e-4)


class TinyWeightsTest(parameterized.TestCase):
    def test_packaged_file_is_below_two_megabytes(self):
        self.assertLess(tiny.PACKAGED_WEIGHTS.stat().st_size, 2_000_000)

    @parameterized.parameters("cifar10", "imagenet")
    def test_names_of_the_packaged_weights_give_that_file(self, weights):
        expected = tiny.network()
        with warnings.catch_warnings(action="error"):
            expected.load_weights(tiny.PACKAGED_WEIGHTS)
        actual = tiny.load(weights=weights).model
        for one, other in zip(
            actual.get_weights(), expected.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)

    def test_answer_depends_on_the_weights(self):
        images = _pixels()
        packaged = _features(tiny.load(), images)
        random = _features(tiny.load(weights=None), images)
        self.assertGreater(np.abs(packaged - random).mean(), 0.05)

    def test_reads_weights_that_were_saved(self):
        trained = tiny.load(weights=None)
        path = os.path.join(self.create_tempdir().full_path, "mine.weights.h5")
        trained.model.save_weights(path)
        images = _pixels()
        np.testing.assert_array_equal(
            _features(tiny.load(weights=path), images),
            _features(trained, images),
        )

    def test_grey_images_give_what_they_give_as_rgb(self):
        grey = _pixels(channels=1)
        np.testing.assert_allclose(
            _features(tiny.load(channels=1), grey),
            _features(tiny.load(), np.repeat(grey, 3, axis=-1)),
            rtol=1e-3,
            atol=1e-4,
        )

    def test_fourth_channel_changes_nothing_before_training(self):
        images = _pixels(channels=4)
        np.testing.assert_allclose(
            _features(tiny.load(channels=4), images),
            _features(tiny.load(), images[..., :3]),
            rtol=1e-3,
            atol=1e-4,
        )

    @parameterized.named_parameters(
        ("size", dict(image_size=15), "Got: 15. Expected at least 16"),
        ("channels", dict(channels=2), "Got: 2. Expected one of: 1, 3, 4"),
        ("path", dict(weights="no.h5"), "'no.h5'.*'cifar10'"),
    )
    def test_refuses(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            tiny.load(**arguments)

    def test_refuses_weights_of_another_network(self):
        pixels = keras.Input((8, 8, 3))
        other = keras.Model(pixels, keras.layers.Conv2D(5, 3)(pixels))
        path = os.path.join(self.create_tempdir().full_path, "other.weights.h5")
        other.save_weights(path)
        with (
            # Keras warns of each layer before it gives up.
            warnings.catch_warnings(action="ignore"),
            self.assertRaisesRegex(ValueError, "other.*Expected a `.weights"),
        ):
            tiny.load(weights=path)


class TransferTest(absltest.TestCase):
    """What the packaged weights are for: other data than they saw."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Grey digits of 8 x 8, values 0..16.
        digits = datasets.load_digits()
        cls.labels, cls.values = digits.target, digits.data / 16
        images = np.round(digits.images * (255 / 16))[..., None]
        images = np.repeat(images, 3, axis=-1)
        cls.images = tf.image.resize(images, [32, 32]).numpy()
        cls.packaged_accuracy = cls._features_accuracy("cifar10")

    @classmethod
    def _accuracy(cls, inputs):
        """Of a linear classifier in closed form, from one half to the other."""
        train, test, train_labels, test_labels = (
            model_selection.train_test_split(
                inputs,
                cls.labels,
                test_size=0.5,
                stratify=cls.labels,
                random_state=0,
            )
        )
        classifier = discriminant_analysis.LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage=0.01
        )
        return classifier.fit(train, train_labels).score(test, test_labels)

    @classmethod
    def _features_accuracy(cls, weights):
        keras.utils.set_random_seed(0)
        maps = _features(tiny.load(weights=weights), cls.images)
        means = maps.mean(axis=(1, 2))
        return cls._accuracy(means / (means.std(axis=0) + 1e-6))

    # Over five halvings: 0.964 from the packaged weights, never below 0.961;
    # 0.950 from the pixels, 0.936 from random weights.
    def test_features_tell_digits_apart_better_than_pixels_do(self):
        self.assertGreater(
            self.packaged_accuracy, self._accuracy(self.values) + 0.005
        )

    def test_features_tell_digits_apart_better_than_random_ones_do(self):
        self.assertGreater(
            self.packaged_accuracy, self._features_accuracy(None) + 0.015
        )


if __name__ == "__main__":
    absltest.main()
