"""Tests of the report that a run leaves, and of `tl-keras report`."""

import contextlib
import dataclasses
import io
import json
import pathlib
import unittest
import warnings
from unittest import mock

import browser_for_tests
import jsonschema
import results_for_tests
from absl import flags
from absl.testing import absltest
from absl.testing import flagsaver

from tl_keras import configs
from tl_keras import reporting
from tl_keras import runs
from tl_keras.cli import report as command
from tl_keras.reports import page
from tl_keras.reports import results


class RunWithReportTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = (
            pathlib.Path(absltest.get_default_test_tmpdir()) / "with_report"
        )
        cls.config = configs.RunConfig(
            data=configs.DataConfig(train_examples=100),
            plan=configs.PlanConfig(
                name="head_then_top",
                options={"head_epochs": 2, "top_epochs": 1},
            ),
            check_export=False,
            report=configs.ReportConfig(intended_use="Post codes.", pictures=2),
            workdir=str(cls.folder),
        )
        cls.result = runs.run(cls.config, overwrite=True, verbose=0)
        cls.report = cls.folder / "report.html"
        cls.entries = json.loads((cls.folder / "results.json").read_text())

    def setUp(self):
        super().setUp()
        self.before = {
            path: path.read_bytes()
            for path in (self.report, self.folder / "results.json")
        }
        self.addCleanup(self._put_back)

    def _put_back(self):
        for path, content in self.before.items():
            path.write_bytes(content)

    def test_the_run_leaves_it_and_names_it(self):
        self.assertEqual(self.result.page, self.report)
        text = self.report.read_text()
        for title in ("tiny on digits", "Post codes.", "Training", "Classes"):
            self.assertIn(title, text)
        self.assertLess(len(text), 1_000_000)

    def test_results_json_is_of_its_schema(self):
        schema = results.schema()
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(self.entries)
        self.assertEqual(self.entries["schema_version"], 1)
        self.assertEqual(schema["properties"]["schema_version"]["const"], 1)

    def test_the_schema_refuses_what_is_not_in_it(self):
        validator = jsonschema.Draft202012Validator(results.schema())
        for change in (
            {"seed": "0"},
            {"surprise": 1},
            {"schema_version": 2},
            {"test": {**self.entries["test"], "accuracy": 1.5}},
        ):
            self.assertFalse(validator.is_valid(self.entries | change), change)

    def test_every_field_of_the_results_is_in_the_schema(self):
        fields = {field.name for field in dataclasses.fields(results.Results)}
        self.assertEqual(set(results.schema()["properties"]), fields)

    def test_results_tell_of_data_training_and_cost(self):
        found = self.entries
        self.assertEqual(
            found["data"]["splits"],
            {"train": 100, "validation": 144, "test": 359},
        )
        classes = found["data"]["classes"]
        for split, count in found["data"]["splits"].items():
            self.assertEqual(sum(row[split] for row in classes), count)
        self.assertLen(found["history"], 3)
        best = max(found["history"], key=lambda row: row["val_accuracy"])
        self.assertEqual(found["best"]["score"], best["val_accuracy"])
        self.assertEqual(found["history"][found["best"]["row"]], best)
        seconds = dict(found["cost"]["seconds"])
        self.assertGreaterEqual(
            seconds.pop("total"), sum(seconds.values()) - 0.01
        )
        self.assertIn("CIFAR-10", found["origin"]["source"])

    def test_the_highest_losses_are_those_of_the_test_part(self):
        found = self.entries["examples"]
        self.assertLen(found["top_losses"], 2)
        losses = [entry["loss"] for entry in found["top_losses"]]
        self.assertEqual(losses, sorted(losses, reverse=True))
        mean = self.entries["test"]["log_loss"]
        self.assertGreater(losses[0], mean)
        for name in ("top_losses", "confident_errors", "samples"):
            for entry in found[name]:
                self.assertTrue((self.folder / entry["picture"]).is_file())
        self.assertEqual(found["method"], "Grad-CAM")
        for entry in (*found["top_losses"], *found["confident_errors"]):
            self.assertTrue((self.folder / entry["overlay"]).is_file())

    def test_the_command_makes_the_same_page_again(self):
        before = self.report.read_text()
        self.report.unlink()
        flags.FLAGS.mark_as_parsed()
        with flagsaver.flagsaver(workdir=str(self.folder)):
            with contextlib.redirect_stdout(io.StringIO()) as shown:
                command.main(["tl-keras report"])
        self.assertEqual(shown.getvalue().strip(), str(self.report))
        self.assertEqual(self.report.read_text(), before)

    def test_what_other_commands_left_is_taken_up(self):
        found = results_for_tests.entries()["explanations"]
        explanations = self.folder / "explanations" / "explanations.json"
        explanations.parent.mkdir(exist_ok=True)
        self.addCleanup(explanations.parent.rmdir)
        self.addCleanup(explanations.unlink)
        explanations.write_text(json.dumps(found))
        card = self.folder / "model_card.md"
        self.addCleanup(card.unlink)
        card.write_text("## Who made it\n\nThe post office.\n")
        audit = self.folder / "audit.json"
        self.addCleanup(audit.unlink)
        audit.write_text(json.dumps(results_for_tests.audit()))
        reporting.write(self.folder)
        text = self.report.read_text()
        for expected in (
            "How far each map can be trusted",
            "The post office.",
            "Doubtful labels, the most doubtful first.",
        ):
            self.assertIn(expected, text)
        entries = json.loads((self.folder / "results.json").read_text())
        self.assertEqual(entries["explanations"], found)

    def test_a_folder_without_a_run_is_named(self):
        empty = self.create_tempdir().full_path
        with self.assertRaisesRegex(FileNotFoundError, "results.json"):
            reporting.write(empty)

    @unittest.skipUnless(
        browser_for_tests.find(), "no Chromium here: apt-get install chromium"
    )
    def test_a_browser_shows_it_whole(self):
        with browser_for_tests.Browser(browser_for_tests.find()) as browser:
            browser_for_tests.assert_is_well(self, browser, self.report)

    def test_a_report_that_fails_is_told_and_loses_nothing(self):
        folder = self.create_tempdir().full_path
        config = dataclasses.replace(
            self.config,
            plan=configs.PlanConfig(name="linear_probe", options={"epochs": 1}),
            workdir=folder,
        )
        fails = mock.patch.object(page, "render", side_effect=KeyError("x"))
        with fails, warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            result = runs.run(config, verbose=0)
        self.assertIsNone(result.page)
        told = [str(w.message) for w in told if "report" in str(w.message)]
        self.assertLen(told, 1)
        self.assertRegex(told[0], "The report .*KeyError: 'x'.*tl-keras")
        kept = {path.name for path in pathlib.Path(folder).iterdir()}
        self.assertContainsSubset(
            {"model.keras", "results.json", "export"}, kept
        )
        self.assertNotIn("checkpoints", kept)
        self.assertNotIn("report.html", kept)


if __name__ == "__main__":
    absltest.main()
