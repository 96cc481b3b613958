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


class UnfinishedRunTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path)
        self.workdir = workdirs.make(self.path)
        self.config = configs.RunConfig(seed=3, workdir="anywhere")

    def begin(self):
        workdirs.write_config(self.workdir, self.config)
        self.workdir.log.write_text("epoch\n")
        self.workdir.checkpoints.mkdir()

    def test_an_empty_folder_has_none(self):
        self.assertFalse(self.workdir.goes_on(self.config))

    def test_goes_on_with_the_same_config(self):
        self.begin()
        self.assertTrue(self.workdir.goes_on(self.config))

    def test_goes_on_before_its_first_checkpoint(self):
        self.begin()
        self.workdir.checkpoints.rmdir()
        self.assertTrue(self.workdir.goes_on(self.config))

    def test_goes_on_while_its_files_are_written(self):
        self.begin()
        self.workdir.model.write_text("")
        self.workdir.results.write_text("")
        self.assertTrue(self.workdir.goes_on(self.config))
        self.workdir.remove_results()
        self.assertFalse(self.workdir.model.exists())
        self.assertTrue(self.workdir.log.exists())
        self.assertTrue(self.workdir.checkpoints.exists())

    def test_a_finished_run_is_refused(self):
        self.begin()
        self.workdir.model.write_text("")
        self.workdir.remove_checkpoints()
        with self.assertRaisesRegex(ValueError, "holds a run already"):
            self.workdir.goes_on(self.config)

    def test_another_config_is_refused_with_the_difference(self):
        self.begin()
        other = configs.override(self.config, "seed=4")
        other = configs.override(other, "plan.options.head_epochs=2")
        with self.assertRaisesRegex(
            ValueError,
            r"differs:\n  seed: 3 in it, 4 now\n"
            r"  plan.options.head_epochs: nothing in it, 2 now\n.*--overwrite",
        ):
            self.workdir.goes_on(other)

    def test_where_it_lies_may_change(self):
        self.begin()
        for change in (
            "workdir=elsewhere",
            "data.data_dir=/data",
            "prefix_cache.folder=/cache",
            "checkpoints.seconds=5",
        ):
            changed = configs.override(self.config, change)
            self.assertTrue(self.workdir.goes_on(changed), change)

    def test_overwriting_begins_anew(self):
        self.begin()
        other = configs.override(self.config, "seed=4")
        self.assertFalse(self.workdir.goes_on(other, overwrite=True))
        self.workdir.prepare(overwrite=True)
        self.assertEqual(list(self.path.iterdir()), [])

    def test_a_config_without_its_end_is_told(self):
        self.begin()
        self.workdir.config.write_text("{")
        with self.assertRaisesRegex(ValueError, "is no config"):
            self.workdir.goes_on(self.config)


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
