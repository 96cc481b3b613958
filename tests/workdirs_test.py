"""Tests of workdirs."""

import pathlib

from absl.testing import absltest

from tl_keras import configs
from tl_keras import workdirs


class WorkdirTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path)
        self.workdir = workdirs.make(self.path)

    def test_a_missing_path_is_refused(self):
        for path in (None, ""):
            with self.assertRaisesRegex(ValueError, "--workdir=runs/first"):
                workdirs.make(path)

    def test_prepares_a_folder_and_its_parents(self):
        workdir = workdirs.make(self.path / "a" / "b")
        workdir.prepare()
        self.assertTrue((self.path / "a" / "b").is_dir())

    def test_takes_a_folder_that_holds_other_files(self):
        (self.path / "notes.txt").write_text("keep")
        self.workdir.prepare()
        self.assertEqual((self.path / "notes.txt").read_text(), "keep")

    def test_refuses_a_folder_that_holds_a_run(self):
        self.workdir.log.write_text("epoch\n")
        with self.assertRaisesRegex(ValueError, "holds a run.*--overwrite"):
            self.workdir.prepare()
        self.assertTrue(self.workdir.log.is_file())

    def test_overwriting_removes_what_a_run_writes_and_nothing_else(self):
        (self.path / "notes.txt").write_text("keep")
        self.workdir.config.write_text("{}")
        (self.workdir.export / "1").mkdir(parents=True)
        self.workdir.prepare(overwrite=True)
        self.assertEqual([p.name for p in self.path.iterdir()], ["notes.txt"])

    def test_a_file_in_its_place_is_refused(self):
        (self.path / "file").write_text("")
        with self.assertRaisesRegex(NotADirectoryError, "is a file"):
            workdirs.make(self.path / "file").prepare(overwrite=True)


class ReadConfigTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.workdir = workdirs.make(self.create_tempdir().full_path)
        self.config = configs.RunConfig(seed=3)

    def test_gives_back_what_was_written(self):
        workdirs.write_config(self.workdir, self.config)
        self.workdir.model.write_text("")
        read = workdirs.read_config(self.workdir.path)
        self.assertEqual(read, self.config)

    def test_a_run_without_a_model_is_not_finished(self):
        workdirs.write_config(self.workdir, self.config)
        with self.assertRaisesRegex(ValueError, "model.keras is missing"):
            workdirs.read_config(self.workdir.path)

    def test_a_damaged_config_names_its_file(self):
        self.workdir.model.write_text("")
        for text in ("{", "[]", '{"sed": 1}'):
            self.workdir.config.write_text(text)
            with self.assertRaisesRegex(
                ValueError, "config.json' is no config"
            ):
                workdirs.read_config(self.workdir.path)


if __name__ == "__main__":
    absltest.main()
