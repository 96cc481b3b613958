"""Tests of ImageNet weights without a network."""

import os
import pathlib
import time
from unittest import mock

from absl.testing import absltest
from keras.src.backend import config as keras_config

from tl_keras import keras_internals
from tl_keras import network
from tl_keras.encoders import applications
from tl_keras.encoders import downloads

_FILE_96 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"
_FILE_224 = _FILE_96.replace("_96_", "_224_")


def _no_network(url, timeout):
    raise OSError("no route to host")


class DownloadsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.home = self.create_tempdir().full_path
        self.models = os.path.join(self.home, "models")
        os.makedirs(self.models)
        self.enter_context(
            mock.patch.object(keras_config, "_KERAS_DIR", self.home)
        )
        self.urlopen = self.enter_context(
            mock.patch("urllib.request.urlopen", side_effect=_no_network)
        )

    def test_error_names_the_file_its_url_and_its_place(self):
        with self.assertRaises(ConnectionError) as caught:
            applications.load("MobileNetV2", 96, alpha=0.35)
        message = str(caught.exception)
        self.assertIn("no route to host", message)
        self.assertIn("https://storage.googleapis.com/tensorflow/", message)
        self.assertIn(os.path.join(self.models, _FILE_96), message)
        self.assertIn("`weights=PATH`", message)
        self.assertNotIn("another image size", message)

    def test_error_points_to_the_weights_of_another_size(self):
        path = os.path.join(self.models, _FILE_224)
        pathlib.Path(path).touch()
        with self.assertRaisesRegex(ConnectionError, "another image size") as e:
            applications.load("MobileNetV2", 96, alpha=0.35)
        self.assertIn(f"`weights={path!r}`", str(e.exception))

    def test_waits_no_longer_than_its_patience_for_a_silent_host(self):
        def swallow(url, timeout):
            time.sleep(2)
            raise OSError("timed out")

        self.urlopen.side_effect = swallow
        start = time.perf_counter()
        with mock.patch.object(network, "PATIENCE_SECONDS", 0.2):
            with self.assertRaisesRegex(ConnectionError, "within 0.2 seconds"):
                with downloads.fail_fast(96):
                    _get_file()
        self.assertLess(time.perf_counter() - start, 1.5)

    def test_takes_a_file_that_is_there_without_asking_the_network(self):
        path = os.path.join(self.models, "weights.h5")
        pathlib.Path(path).touch()
        with downloads.fail_fast(96):
            self.assertEqual(_get_file(), path)
        self.urlopen.assert_not_called()

    def test_takes_a_file_from_a_folder_that_is_read_only(self):
        path = os.path.join(self.models, "weights.h5")
        pathlib.Path(path).touch()
        # Permissions do not hold back the super-user, so they are pretended.
        with mock.patch("os.access", return_value=False):
            with downloads.fail_fast(96):
                self.assertEqual(_get_file(), path)

    def test_refuses_a_damaged_file(self):
        pathlib.Path(self.models, "weights.h5").write_text("half of it")
        with self.assertRaisesRegex(ConnectionError, "weights.h5 is damaged"):
            with downloads.fail_fast(96):
                _get_file(file_hash="0" * 32)

    def test_leaves_keras_as_it_was(self):
        before = keras_internals.get_file()
        with self.assertRaises(ConnectionError):
            applications.load("MobileNetV2", 96, alpha=0.35)
        self.assertIs(keras_internals.get_file(), before)


def _get_file(**options):
    return keras_internals.get_file()(
        "weights.h5",
        "https://example.com/weights.h5",
        cache_subdir="models",
        **options,
    )


if __name__ == "__main__":
    absltest.main()
