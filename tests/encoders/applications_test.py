"""Tests of loading `keras.applications`; the contract has their numbers."""

import os
import pathlib
from unittest import mock

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.encoders import applications
from tl_keras.encoders import downloads


class ApplicationsTest(parameterized.TestCase):
    def test_lists_the_forty_models_of_keras(self):
        names = applications.names()
        self.assertLen(names, 40)
        self.assertIn("MobileNetV3Small", names)
        self.assertNotIn("preprocess_input", names)

    @parameterized.parameters(
        ("VGG16", 224, 32),
        ("Xception", 299, 71),
        ("InceptionV3", 299, 75),
        ("MobileNetV3Large", 224, 32),
        ("NASNetLarge", 331, 32),
        ("EfficientNetB7", 600, 32),
        ("EfficientNetV2S", 384, 32),
    )
    def test_knows_default_and_smallest_size(self, name, default, smallest):
        # From Keras' documentation of each model.
        self.assertEqual(applications.image_sizes(name), (default, smallest))

    def test_takes_names_in_lower_case_and_the_default_size(self):
        with keras.StatelessScope():
            encoder = applications.load("vgg16", weights=None)
        self.assertEqual(encoder.input_spec.shape, (224, 224, 3))

    @parameterized.parameters(
        ({"name": "MobileNetv22"}, "Did you mean 'MobileNetV2'"),
        ({"image_size": 31}, "Got: 31. Expected at least 32"),
        ({"weights": "imagnet"}, "Got: 'imagnet'. Expected 'imagenet', None"),
        ({"weights": "no/such/file.h5"}, "no/such/file.h5.*the path of a file"),
        ({"channels": 2}, "Expected one of: 1, 3, 4"),
        ({"alfa": 0.35}, "Got: 'alfa'. Expected one of: 'alpha'.*mean 'alpha'"),
        ({"include_top": True}, "`include_top` is not.*tl_keras.heads"),
        ({"pooling": "avg"}, "the head pools it. Options.*: 'alpha'"),
        ({"input_shape": (9, 9, 3)}, "Use `image_size` and `channels`"),
        ({"include_preprocessing": False}, "preprocessing inside"),
    )
    def test_refuses_wrong_arguments_before_building(self, wrong, why):
        arguments = {"name": "MobileNetV2", "image_size": 32, **wrong}
        with mock.patch.object(applications, "_with_weights") as build:
            with self.assertRaisesRegex(ValueError, why):
                applications.load(**arguments)
        build.assert_not_called()


class WeightsTest(absltest.TestCase):
    def test_reads_a_file_that_plain_keras_wrote(self):
        plain = keras.applications.MobileNet(
            include_top=False, weights=None, input_shape=(64, 64, 3), alpha=0.25
        )
        path = self.create_tempdir().full_path + "/mobilenet.weights.h5"
        plain.save_weights(path)
        # A convolution's weights do not depend on the image size.
        encoder = applications.load(
            "MobileNet", 32, pathlib.Path(path), alpha=0.25
        )
        pairs = zip(
            encoder.model.get_weights(), plain.get_weights(), strict=True
        )
        for actual, expected in pairs:
            np.testing.assert_array_equal(actual, expected)

    def test_refuses_a_file_of_another_width(self):
        path = self.create_tempdir().full_path + "/mobilenet.weights.h5"
        small = applications.load("MobileNet", 32, weights=None, alpha=0.25)
        small.model.save_weights(path)
        with self.assertRaisesRegex(ValueError, "does not fit this model"):
            applications.load("MobileNet", 32, path, alpha=0.5)

    def test_takes_keras_own_file_for_what_imagenet_means(self):
        # With ImageNet weights, EfficientNet divides by the deviation twice,
        # in one layer more: https://github.com/tensorflow/tensorflow/issues/
        # 49930. A path must not lose that layer.
        path = self.create_tempdir().full_path + "/copy.weights.h5"
        other = applications.load("EfficientNetB0", 32, weights=None)
        other.model.save_weights(path)
        module = keras.src.applications.efficientnet
        hashes = {"b0": ("top", downloads.md5(path))}
        with mock.patch.object(module, "WEIGHTS_HASHES", hashes):
            encoder = applications.load("EfficientNetB0", 32, path)
        self.assertLen(encoder.model.layers, len(other.model.layers) + 1)

    def test_real_mobilenet_weights_see_what_plain_keras_sees(self):
        data = os.environ.get("TL_KERAS_DATA") or str(
            pathlib.Path(__file__).parents[2].parent / "shared" / "data"
        )
        path = (
            f"{data}/keras_home/models/mobilenet_v2_weights_tf_dim_ordering_"
            "tf_kernels_0.35_224_no_top.h5"
        )
        if not os.path.exists(path):
            self.skipTest(f"There is no {path}.")
        options = {"weights": path, "alpha": 0.35}
        encoder = applications.load("MobileNetV2", 96, **options)
        plain = keras.applications.MobileNetV2(
            include_top=False, input_shape=(96, 96, 3), **options
        )
        pixels = np.random.default_rng(0).uniform(0, 255, (2, 96, 96, 3))
        values = keras.applications.mobilenet_v2.preprocess_input(pixels.copy())
        np.testing.assert_allclose(
            encoder.model(pixels), plain(values), atol=1e-4
        )


if __name__ == "__main__":
    absltest.main()
