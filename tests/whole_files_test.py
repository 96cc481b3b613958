"""Tests of files that are there whole, or as they were before."""

import pathlib

from absl.testing import absltest

from tl_keras import whole_files


class ReplacingTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.path = folder / "notes.txt"
        self.path.write_text("old")

    def names(self):
        return [file.name for file in self.path.parent.iterdir()]

    def test_the_old_file_is_there_until_the_new_one_is_whole(self):
        with whole_files.replacing(self.path) as beside:
            beside.write_text("ne")
            self.assertEqual(self.path.read_text(), "old")
            beside.write_text("new")
        self.assertEqual(self.path.read_text(), "new")
        self.assertEqual(self.names(), ["notes.txt"])

    def test_after_an_error_all_is_as_it_was(self):
        with self.assertRaisesRegex(OSError, "full"):
            with whole_files.replacing(self.path) as beside:
                beside.write_text("ne")
                raise OSError("The disk is full.")
        self.assertEqual(self.path.read_text(), "old")
        self.assertEqual(self.names(), ["notes.txt"])


if __name__ == "__main__":
    absltest.main()
