"""Data sets of TFDS: read as they are stored, and no waiting for a network."""

import os
import time
import urllib.request
from unittest import mock

import files_for_tests
import numpy as np
import requests
import tensorflow_datasets as tfds
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import input_specs
from tl_keras import network
from tl_keras.data import errors
from tl_keras.data import memory
from tl_keras.data import sources

IMAGES = files_for_tests.random_images(24, 6, 6, 3)


class _MadeUp(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What the builders below have in common."""

    VERSION = tfds.core.Version("1.0.0")
    UNLABELLED = ()
    INPUT = {"picture": tfds.features.Image(shape=(6, 6, 3))}
    SUPERVISED = None

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="Made up.",
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "kind": tfds.features.ClassLabel(names=["cat", "dog"]),
                    **self.INPUT,
                }
            ),
            supervised_keys=self.SUPERVISED,
        )

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples("train"),
            "test": self._generate_examples("test"),
        }

    def _generate_examples(self, split):
        for index, inputs in enumerate(self._inputs()):
            label = -1 if split in self.UNLABELLED else index % 2
            yield index, {"id": f"{split} {index}", "kind": label} | inputs

    def _inputs(self):
        return [{"picture": image} for image in IMAGES]


class TlKerasPets(_MadeUp):
    """Images with labels."""


class TlKerasBlindPets(_MadeUp):
    """A test part without labels."""

    UNLABELLED = ("test",)


class TlKerasSpoiltPets(_MadeUp):
    """A training part without labels."""

    UNLABELLED = ("train",)


class TlKerasReviews(_MadeUp):
    """Texts with labels, and another text that is none of the input."""

    INPUT = {"body": tfds.features.Text()}
    TEXTS = [f"Größe {index}" for index in range(24)]

    def _inputs(self):
        return [{"body": text} for text in self.TEXTS]


class TlKerasEmptyReviews(TlKerasReviews):
    """A text without words among the others."""

    TEXTS = ["a", " ", *"abcdef"]


class TlKerasHeadlines(TlKerasReviews):
    """Two texts, of which the data set names one as its input."""

    INPUT = {"title": tfds.features.Text(), "body": tfds.features.Text()}
    SUPERVISED = ("body", "kind")

    def _inputs(self):
        return [{"title": "x", "body": text} for text in self.TEXTS]


class TlKerasKnownPets(_MadeUp):
    """Images of which a class and a number more are known."""

    INPUT = {
        **_MadeUp.INPUT,
        "breed": tfds.features.ClassLabel(names=["pug", "collie", "tabby"]),
        "weight": np.float32,
        "name": tfds.features.Text(),
    }
    SUPERVISED = ("picture", "kind")

    def _inputs(self):
        return [
            {"picture": image, "breed": index % 3, "weight": index, "name": "x"}
            for index, image in enumerate(IMAGES)
        ]


class TlKerasBarks(_MadeUp):
    """Sounds of several lengths with labels, and a text beside."""

    INPUT = {
        "sound": tfds.features.Audio(sample_rate=8000, shape=(None, 2)),
        "name": tfds.features.Text(),
    }
    CLIPS = [
        files_for_tests.random_samples(20 + index, 2, seed=index)
        for index in range(24)
    ]

    def _inputs(self):
        return [
            {"sound": clip.astype(np.int64), "name": "x"} for clip in self.CLIPS
        ]


class TlKerasLoudBarks(TlKerasBarks):
    """Sounds of more than 16 bits."""

    CLIPS = [np.full([5, 2], 2**20)] * 4


# Whatever these tests do, they do it without a network.
PATCHES = (
    mock.patch.object(
        requests.Session, "request", side_effect=requests.ConnectionError
    ),
    mock.patch.object(
        urllib.request, "urlopen", side_effect=OSError("no network")
    ),
)


def setUpModule():
    for patch in PATCHES:
        patch.start()


def tearDownModule():
    # By hand, since pytest does not run what `addModuleCleanup` is told.
    for patch in PATCHES:
        patch.stop()


class PreparedTest(parameterized.TestCase):
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

    @parameterized.parameters(TlKerasReviews, TlKerasHeadlines)
    def test_texts_are_those_that_were_stored(self, builder_class):
        data = self.load(builder_class, validation_fraction=0)
        self.assertEqual(data.input_spec.kind, "text")
        ((texts, labels),) = files_for_tests.batches(data.test)
        index = [int(name.removeprefix("test")) for name in data.ids("test")]
        expected = [TlKerasReviews.TEXTS[i] for i in index]
        self.assertEqual([text.decode() for text in texts], expected)
        np.testing.assert_array_equal(labels, np.array(index) % 2)

    def test_other_classes_and_numbers_are_columns(self):
        data = self.load(TlKerasKnownPets, validation_fraction=0)
        columns = data.columns("test")
        self.assertEqual(sorted(columns), ["breed", "weight"])
        order = [int(name.split()[1]) for name in data.ids("test")]
        breeds = ["pug", "collie", "tabby"]
        self.assertEqual(
            columns["breed"].tolist(), [breeds[index % 3] for index in order]
        )
        self.assertEqual(columns["weight"].tolist(), order)

    def test_an_empty_text_is_named(self):
        with self.assertRaisesRegex(
            ValueError, "Text train 1 in train of .*: the text is empty"
        ):
            self.load(TlKerasEmptyReviews)

    def test_sounds_are_those_that_were_stored(self):
        data = self.load(TlKerasBarks, validation_fraction=0)
        self.assertEqual(
            data.input_spec,
            input_specs.AudioSpec(sample_rate=8000, num_samples=43, channels=2),
        )
        ((clips, labels),) = files_for_tests.batches(data.test)
        index = [int(name.removeprefix("test")) for name in data.ids("test")]
        for clip, i in zip(clips, index, strict=True):
            samples = TlKerasBarks.CLIPS[i] / np.float32(32768)
            expected = np.pad(samples, [(0, 23 - i), (0, 0)])
            np.testing.assert_array_equal(clip, expected)
        np.testing.assert_array_equal(labels, np.array(index) % 2)

    def test_sounds_of_more_than_16_bits_are_refused(self):
        with self.assertRaisesRegex(
            ValueError, "Audio train . in train of .*more than 16 bits"
        ):
            self.load(TlKerasLoudBarks)

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
            raise OSError("too late")

        begin = time.monotonic()
        with (
            mock.patch.object(urllib.request, "urlopen", wait),
            mock.patch.object(network, "PATIENCE_SECONDS", 0.2),
            self.assertRaises(errors.DownloadError),
        ):
            sources.load("cifar10", data_dir=self.create_tempdir().full_path)
        self.assertLess(time.monotonic() - begin, 2.5)

    def test_any_answer_counts_as_a_network(self):
        with mock.patch.object(urllib.request, "urlopen"):
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

    def test_what_has_no_single_input_is_refused_before_a_download(self):
        for name, words in (
            ("squad", r"'squad' does not have one image.*title \(Text\)"),
            ("glue/mrpc", r"sentence1 \(Text\), sentence2 \(Text\)"),
            ("ucf101", r"video \(Video\)"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                sources.load(name, data_dir=self.create_tempdir().full_path)

    def test_data_sets_of_texts_and_of_sounds_are_known_by_their_features(self):
        for name in ("imdb_reviews", "glue/sst2", "speech_commands"):
            with self.assertRaises(errors.DownloadError):
                sources.load(name, data_dir=self.create_tempdir().full_path)

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
