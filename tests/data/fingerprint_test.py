"""Fingerprints follow the content; what is remembered is never wrong."""

import os
import pathlib
import time
from unittest import mock

import numpy as np
from absl.testing import absltest

from tl_keras.data import fingerprint


class CombineTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, [4, 2, 2, 1], dtype=np.uint8)
        self.labels = [0, 1, 0, 1]

    def combine(
        self, images=None, labels=None, names=("a", "b"), split="train"
    ):
        images = self.images if images is None else images
        digests = fingerprint.of_rows(images)
        labels = self.labels if labels is None else labels
        return fingerprint.combine(names, {split: (digests, labels)})

    def test_is_equal_for_equal_content(self):
        self.assertEqual(self.combine(), self.combine(self.images.copy()))

    def test_differs_where_anything_differs(self):
        changed = self.images.copy()
        changed[3, 1, 1, 0] ^= 1
        everything = [
            self.combine(),
            self.combine(images=changed),
            self.combine(images=self.images[::-1]),
            self.combine(images=self.images.astype(np.float32)),
            self.combine(labels=[0, 1, 1, 0]),
            self.combine(names=("a", "c")),
            self.combine(split="test"),
        ]
        self.assertLen(set(everything), len(everything))

    def test_leaves_out_splits_that_do_not_exist(self):
        part = (fingerprint.of_rows(self.images), self.labels)
        self.assertEqual(
            fingerprint.combine("ab", {"train": part, "test": None}),
            fingerprint.combine("ab", {"train": part}),
        )


class OfFilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.cache = folder / "cache"
        self.enter_context(
            mock.patch.dict(os.environ, {"TL_KERAS_CACHE": str(self.cache)})
        )
        self.files = [folder / "one", folder / "two"]
        for file, content in zip(self.files, (b"1", b"2"), strict=True):
            self.write(file, content, age=100)

    def write(self, file, content, age):
        file.write_bytes(content)
        then = time.time() - age
        os.utime(file, (then, then))

    def digests(self):
        return fingerprint.of_files(self.files).tolist()

    def reads(self):
        """Digests, and which files were opened for them."""
        opened = []

        def spy(file, mode):
            opened.append(pathlib.Path(file).name)
            return open(file, mode)

        with mock.patch.object(fingerprint, "open", spy, create=True):
            return self.digests(), sorted(opened)

    def test_is_that_of_the_content(self):
        expected = fingerprint.of_bytes([b"1", b"2"]).tolist()
        self.assertEqual(self.digests(), expected)

    def test_reads_nothing_the_second_time(self):
        first, opened = self.reads()
        self.assertEqual(opened, ["one", "two"])
        again, opened = self.reads()
        self.assertEqual(opened, [])
        self.assertEqual(first, again)

    def test_reads_a_file_of_another_size_again(self):
        self.digests()
        stat = self.files[1].stat()
        self.files[1].write_bytes(b"22")
        os.utime(self.files[1], ns=(stat.st_atime_ns, stat.st_mtime_ns))
        digests, opened = self.reads()
        self.assertEqual(opened, ["two"])
        self.assertEqual(digests, fingerprint.of_bytes([b"1", b"22"]).tolist())

    def test_reads_a_file_of_another_time_again(self):
        self.digests()
        self.write(self.files[0], b"3", age=50)
        digests, opened = self.reads()
        self.assertEqual(opened, ["one"])
        self.assertEqual(digests, fingerprint.of_bytes([b"3", b"2"]).tolist())

    def test_does_not_remember_a_file_that_has_just_changed(self):
        self.write(self.files[0], b"1", age=0)
        self.digests()
        self.assertEqual(self.reads()[1], ["one"])

    def test_survives_a_spoilt_memory(self):
        first = self.digests()
        for file in (self.cache / "fingerprints").iterdir():
            file.write_text("{")
        self.assertEqual(self.digests(), first)

    def test_needs_no_memory(self):
        self.cache.write_text("a file where the folder should be")
        self.assertEqual(
            self.digests(), fingerprint.of_bytes([b"1", b"2"]).tolist()
        )


if __name__ == "__main__":
    absltest.main()
