"""Where images are kept changes the time, never the values."""

import pathlib
from unittest import mock

import files_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import arrays
from tl_keras.data import augmentation
from tl_keras.data import images as images_
from tl_keras.data import memory
from tl_keras.data import reading
from tl_keras.data import sources


class FolderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def write(self, shapes):
        for name in ("a", "b"):
            for number, shape in enumerate(shapes):
                image = files_for_tests.random_images(*shape, seed=number)
                path = self.root / name / f"{number}.png"
                files_for_tests.write_png(path, image)

    def load(self, **options):
        options = {"image_size": 8, "batch_size": 3, "cache": True} | options
        return sources.load(
            f"folder:{self.root}", validation_fraction=0.25, **options
        )

    @parameterized.parameters(
        ([(6, 6, 3)] * 4, 3, False),
        ([(6, 9, 3)] * 4, 1, True),
        ([(20, 30, 3)] * 4, 3, True),
        ([(6, 6, 3), (30, 20, 3), (8, 8, 3), (5, 40, 3)], 3, False),
        ([(6, 6, 3), (30, 20, 3), (8, 8, 3), (5, 40, 3)], 1, True),
    )
    def test_kept_or_not_the_batches_are_equal(self, shapes, channels, square):
        self.write(shapes)
        options = {"channels": channels, "keep_aspect_ratio": square}
        kept = self.load(**options)
        not_kept = self.load(cache=False, **options)
        self.assertIsInstance(kept.splits["train"].inputs, reading.InMemory)
        self.assertIsInstance(not_kept.splits["train"].inputs, reading.OnTheFly)
        chosen = augmentation.Augmentation(flip=True, crop=0.3)
        for views in (
            (kept.validation, not_kept.validation),
            [
                data.train_epochs(epochs=2, augmentation=chosen)
                for data in (kept, not_kept)
            ],
        ):
            files_for_tests.assert_equal_batches(
                *map(files_for_tests.batches, views)
            )
        self.assertEqual(kept.fingerprint, not_kept.fingerprint)

    def test_images_are_those_of_the_files(self):
        self.write([(20, 30, 3)] * 4)
        data = self.load()
        ((images, _),) = files_for_tests.batches(
            data.validation.unbatch().batch(99)
        )
        for image, path in zip(images, data.ids("validation"), strict=True):
            decoded = images_.decode(tf.io.read_file(path))
            expected = images_.resize(decoded, 8)
            np.testing.assert_array_equal(image, expected)

    @parameterized.parameters(
        # Kept as they are, if all have the same size and it is smaller.
        ([(6, 6, 3)] * 4, (6, 6, 3)),
        ([(6, 6, 3)] * 3 + [(6, 5, 3)], (8, 8, 3)),
        ([(9, 9, 3)] * 4, (8, 8, 3)),
    )
    def test_keeps_as_few_bytes_as_it_can(self, shapes, kept):
        self.write(shapes)
        reader = self.load().splits["train"].inputs
        self.assertEqual(tuple(reader.values.shape[1:]), kept)

    def test_keeps_nothing_beyond_its_share_of_the_memory(self):
        self.write([(20, 20, 3)] * 4)
        # Eight images of 8 * 8 * 3 bytes are 1,536.
        for available, kind in (
            (4 * 1536, reading.InMemory),
            (4 * 1536 - 4, reading.OnTheFly),
        ):
            with mock.patch.object(
                memory, "available_bytes", lambda value=available: value
            ):
                data = self.load(cache="auto")
            self.assertIsInstance(data.splits["train"].inputs, kind)

    def test_keeps_the_size_of_the_images_if_none_is_asked_for(self):
        self.write([(7, 7, 3)] * 4)
        self.assertEqual(self.load(image_size=None).input_spec.size, 7)

    def test_names_the_sizes_if_they_differ_and_none_is_asked_for(self):
        self.write([(7, 7, 3)] * 3 + [(7, 6, 3)])
        with self.assertRaisesRegex(
            ValueError, r"\(7, 6, 3\) in .*3.png.*image_size="
        ):
            self.load(image_size=None)

    def test_asks_for_a_size_if_images_are_not_square(self):
        self.write([(7, 6, 3)] * 4)
        with self.assertRaisesRegex(ValueError, "7 x 6.*image_size="):
            self.load(image_size=None)

    @parameterized.parameters(True, False)
    def test_names_a_file_that_cannot_be_decoded(self, truncated):
        self.write([(20, 20, 3)] * 4)
        file = self.root / "b" / "2.png"
        content = file.read_bytes()
        file.write_bytes(content[:200] if truncated else b"no image")
        with self.assertRaisesRegex(
            ValueError, "b/2.png cannot be decoded. Expected a JPEG"
        ):
            self.load()

    def test_names_it_when_it_is_read_if_images_are_not_kept(self):
        self.write([(20, 20, 3)] * 4)
        data = self.load(cache=False)
        for content in (b"no image", None):
            file = self.root / "b" / "2.png"
            file.write_bytes(content) if content else file.unlink()
            with self.assertRaisesRegex(
                tf.errors.InvalidArgumentError, "b/2.png cannot be decoded"
            ):
                for split in ("train", "validation"):
                    list(data.evaluation_batches(split))

    def test_names_it_if_every_image_of_a_batch_fails(self):
        self.write([(20, 20, 3)] * 4)
        data = self.load(cache=False, batch_size=1)
        for file in self.root.glob("*/*.png"):
            file.write_bytes(b"")
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, ".png can"):
            list(data.train_epochs())


class ArraysTest(parameterized.TestCase):
    @parameterized.parameters((12, 12), (5, 5), (12, 5))
    def test_are_resized_as_images_are(self, height, width):
        images = files_for_tests.random_images(9, height, width, 3)
        labels = np.arange(9) % 2
        data = arrays.from_arrays(
            (images, labels),
            validation=False,
            test=(images, labels),
            image_size=8,
        )
        ((result, result_labels),) = files_for_tests.batches(data.test)
        np.testing.assert_array_equal(result, images_.resize(images, 8))
        np.testing.assert_array_equal(result_labels, labels)

    @parameterized.parameters((1, 3), (3, 1), (4, 3), (3, 4))
    def test_channels_are_converted(self, given, wanted):
        images = files_for_tests.random_images(4, 5, 5, given)
        data = arrays.from_arrays(
            (images, [0, 1, 0, 1]),
            validation=False,
            test=(images, [0, 1, 0, 1]),
            channels=wanted,
        )
        ((result, _),) = files_for_tests.batches(data.test)
        expected = images_.convert_channels(images, wanted)
        np.testing.assert_array_equal(result, expected)
        self.assertEqual(data.input_spec.channels, wanted)


class MemoryTest(absltest.TestCase):
    def test_is_the_less_of_the_systems_and_the_containers(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        meminfo, limit, used = (folder / name for name in "abc")
        meminfo.write_text("MemTotal: 9 kB\nMemAvailable:   5 kB\n")
        limit.write_text("4000\n")
        used.write_text("1000\n")
        with (
            mock.patch.object(memory, "_MEMINFO", meminfo),
            mock.patch.object(memory, "_LIMIT", limit),
            mock.patch.object(memory, "_USED", used),
        ):
            self.assertEqual(memory.available_bytes(), 3000)
            limit.write_text("max\n")
            self.assertEqual(memory.available_bytes(), 5 * 1024)
            meminfo.unlink()
            self.assertGreater(memory.available_bytes(), 2**20)


if __name__ == "__main__":
    absltest.main()
