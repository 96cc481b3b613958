"""Data sets of TFDS: read as they are stored, and no waiting for a network."""

import os
import time
import unittest
from unittest import mock

import files_for_tests
import numpy as np
import requests
import tensorflow_datasets as tfds
from absl.testing import absltest

from tl_keras.data import errors
from tl_keras.data import memory
from tl_keras.data import sources
from tl_keras.data import tfds_source

IMAGES = files_for_tests.random_images(24, 6, 6, 3)


class _MadeUp(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What the builders below have in common."""

    VERSION = tfds.core.Version("1.0.0")
    UNLABELLED = ()

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="Made up.",
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "picture": tfds.features.Image(shape=(6, 6, 3)),
                    "kind": tfds.features.ClassLabel(names=["cat", "dog"]),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples("train"),
            "test": self._generate_examples("test"),
        }

    def _generate_examples(self, split):
        for index, image in enumerate(IMAGES):
            label = -1 if split in self.UNLABELLED else index % 2
            example = {"id": f"{split} {index}", "picture": image}
            yield index, example | {"kind": label}


class TlKerasPets(_MadeUp):
    """Images with labels."""


class TlKerasBlindPets(_MadeUp):
    """A test part without labels."""

    UNLABELLED = ("test",)


class TlKerasSpoiltPets(_MadeUp):
    """A training part without labels."""

    UNLABELLED = ("train",)


def setUpModule():
    # Whatever these tests do, they do it without a network.
    patch = mock.patch.object(
        requests.Session, "request", side_effect=requests.ConnectionError
    )
    patch.start()
    unittest.addModuleCleanup(patch.stop)


class PreparedTest(absltest.TestCase):
    def load(self, builder_class, **options):
        data_dir = self.create_tempdir().full_path
        builder = builder_class(data_dir=data_dir)
        builder.download_and_prepare()
        return sources.load(builder.name, data_dir=data_dir, **options)

    def test_images_labels_and_ids_are_those_that_were_stored(self):
        data = self.load(TlKerasPets, validation_fraction=0)
        self.assertEqual(data.class_names, ("cat", "dog"))
        self.assertEqual(data.input_spec.size, 6)
        for split in ("train", "test"):
            batches = files_for_tests.batches(data.evaluation_batches(split))
            images = np.concatenate([images for images, _ in batches])
            index = [int(name.removeprefix(split)) for name in data.ids(split)]
            np.testing.assert_array_equal(images, IMAGES[index])
            np.testing.assert_array_equal(
                data.labels(split), np.array(index) % 2
            )

    def test_decoded_on_the_fly_they_are_equal(self):
        first = self.load(TlKerasPets, image_size=9, cache=True)
        second = self.load(TlKerasPets, image_size=9, cache=False)
        files_for_tests.assert_equal_batches(
            files_for_tests.batches(first.train_epochs()),
            files_for_tests.batches(second.train_epochs()),
        )
        self.assertEqual(first.fingerprint, second.fingerprint)

    def test_validation_is_split_off_the_training_part(self):
        data = self.load(TlKerasPets, validation_fraction=0.25)
        self.assertEqual(
            data.num_examples, {"train": 18, "validation": 6, "test": 24}
        )
        self.assertTrue(
            all(name.startswith("train") for name in data.ids("validation"))
        )

    def test_a_test_part_without_labels_is_left_out_with_a_warning(self):
        with self.assertWarnsRegex(UserWarning, "test of .* has no labels"):
            data = self.load(TlKerasBlindPets)
        self.assertIsNone(data.test)

    def test_labels_out_of_range_are_named(self):
        with self.assertRaisesRegex(
            ValueError, "train of tl_keras_spoilt_pets.*-1 at position 0"
        ):
            self.load(TlKerasSpoiltPets)

    def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(self):
        with mock.patch.object(memory, "available_bytes", lambda: 1000):
            with self.assertRaisesRegex(ValueError, "Expected at most half"):
                self.load(TlKerasPets)

    def test_a_version_may_be_named(self):
        data_dir = self.create_tempdir().full_path
        TlKerasPets(data_dir=data_dir).download_and_prepare()
        data = sources.load("tl_keras_pets:1.0.0", data_dir=data_dir)
        self.assertEqual(data.name, "tl_keras_pets:1.0.0")


class NotPreparedTest(absltest.TestCase):
    def test_no_network_is_said_at_once_with_the_host(self):
        begin = time.monotonic()
        with self.assertRaisesRegex(
            errors.DownloadError,
            "'cifar10' is not prepared in .*www.cs.toronto.edu cannot be "
            "reached.*data_dir",
        ):
            sources.load("cifar10", data_dir=self.create_tempdir().full_path)
        self.assertLess(time.monotonic() - begin, 10)

    def test_a_host_that_never_answers_is_given_up_within_seconds(self):
        def wait(*args, **kwargs):
            time.sleep(3)

        begin = time.monotonic()
        with (
            mock.patch.object(requests.Session, "request", wait),
            mock.patch.object(tfds_source, "_PROBE_SECONDS", 0.2),
            self.assertRaises(errors.DownloadError),
        ):
            sources.load("cifar10", data_dir=self.create_tempdir().full_path)
        self.assertLess(time.monotonic() - begin, 2.5)

    def test_any_answer_counts_as_a_network(self):
        with mock.patch.object(requests.Session, "request"):
            with mock.patch.object(
                tfds.core.DatasetBuilder,
                "download_and_prepare",
                side_effect=OSError("the download broke off"),
            ):
                with self.assertRaisesRegex(
                    errors.DownloadError, "could not be.*the download broke off"
                ):
                    sources.load(
                        "cifar10", data_dir=self.create_tempdir().full_path
                    )

    def test_what_is_downloaded_by_hand_is_said(self):
        with self.assertRaisesRegex(
            errors.DownloadError, "'imagenet2012'.*by hand into .*manual"
        ):
            sources.load(
                "imagenet2012", data_dir=self.create_tempdir().full_path
            )

    def test_what_has_no_images_is_refused_before_a_download(self):
        with self.assertRaisesRegex(
            ValueError, r"no image classification.*title \(Text\)"
        ):
            sources.load(
                "ag_news_subset", data_dir=self.create_tempdir().full_path
            )

    def test_a_missing_package_is_named_with_the_command(self):
        with mock.patch.dict("sys.modules", {"tensorflow_datasets": None}):
            with self.assertRaisesRegex(
                ImportError, "pip install tensorflow-datasets.*'digits'"
            ):
                sources.load("digts")


PREPARED = os.environ.get("TL_KERAS_TFDS", "")


@absltest.skipUnless(
    os.path.isdir(os.path.join(PREPARED, "cifar10")),
    "TL_KERAS_TFDS names no folder with a prepared cifar10",
)
class Cifar10Test(absltest.TestCase):
    def test_is_read_whole(self):
        data = sources.load("cifar10", data_dir=PREPARED)
        self.assertEqual(
            data.num_examples,
            {"train": 45000, "validation": 5000, "test": 10000},
        )
        counts = np.bincount(data.labels("validation"))
        self.assertEqual(counts.tolist(), [500] * 10)
        # Some images occur twice in CIFAR-10, but no name does.
        names = {name for split in data.splits for name in data.ids(split)}
        self.assertLen(names, 60000)
        self.assertEqual(data.class_names[3], "cat")


if __name__ == "__main__":
    absltest.main()
