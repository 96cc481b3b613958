"""Tests of what a run found out."""

import json
import os
import pathlib
import platform
import tempfile
import types
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.evaluation import metrics
from tl_keras.evaluation import resampling
from tl_keras.reports import results
from tl_keras.training import prefix_cache


def _phase(name, groups, trained, score=0.5, sparsity=None):
    return types.SimpleNamespace(
        name=name,
        groups=groups,
        seconds=1.25,
        epochs=3,
        best_score=score,
        trained_parameters=trained,
        frozen_parameters=1000 - trained,
        waiting=(0.5, 0.25, 0.0),
        prefix_cache=prefix_cache.CacheReport(True, "it pays", ("pool",), 2),
        sparsity=sparsity,
    )


def _evaluation():
    return metrics.from_predictions(
        [[0.75, 0.25], [0.75, 0.25]],
        [0, 1],
        class_names=("é", "cat"),
        resamples=resampling.Resamples(count=10),
    )


def _results(phases=None, evaluation=None, **names):
    phases = phases or (
        _phase("head", ("head",), 10),
        _phase("top", ("stage2", "stage3", "head"), 400, score=0.75),
    )
    options = {
        "dataset": "digits",
        "encoder": "tiny",
        "plan": "head_then_top",
        "seed": 7,
        "data_fingerprint": "5f3a",
        **names,
    }
    fit_result = types.SimpleNamespace(
        phases=phases,
        trained_parameters=400,
        frozen_parameters=600,
        history=[],
        monitor=None,
        best_score=None,
    )
    return results.collect(fit_result, evaluation, **options)


class ResultsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "results.json"

    def test_comes_back_as_it_was_written(self):
        found = _results(evaluation=_evaluation())
        self.assertEqual(results.write(found, self.path), self.path)
        self.assertEqual(results.read(self.path), found)

    def test_file_holds_what_was_promised(self):
        results.write(_results(evaluation=_evaluation()), self.path)
        entries = json.loads(self.path.read_text("utf-8"))
        self.assertEqual(
            entries["phases"][1],
            {
                "name": "top",
                "groups": ["stage2", "stage3", "head"],
                "epochs": 3,
                "seconds": 1.25,
                "best_validation_score": 0.75,
                "trained_parameters": 400,
                "frozen_parameters": 600,
                "waiting": [0.5, 0.25, 0.0],
                "prefix_cache": {
                    "used": True,
                    "reason": "it pays",
                    "cut": ["pool"],
                    "views": 2,
                    "bytes_per_example": 0,
                    "computed": 0,
                    "seconds": 0.0,
                    "rounding": 0.0,
                },
                "sparsity": None,
            },
        )
        self.assertEqual(entries["parameters"], {"trained": 400, "frozen": 600})
        self.assertContainsSubset(
            {
                "accuracy",
                "top_5_accuracy",
                "balanced_accuracy",
                "macro_precision",
                "macro_recall",
                "macro_f1",
                "per_class",
                "confusion_matrix",
                "expected_calibration_error",
                "intervals",
                "slices",
            },
            entries["test"],
        )
        self.assertEqual(
            entries["versions"],
            {
                "tl_keras": tl_keras.__version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        )
        self.assertEqual(
            [entries[name] for name in ("dataset", "encoder", "plan", "seed")],
            ["digits", "tiny", "head_then_top", 7],
        )
        self.assertEqual(entries["data_fingerprint"], "5f3a")

    @parameterized.parameters(float("nan"), np.float32("inf"), np.nan, None)
    def test_writes_null_for_what_json_cannot_say(self, score):
        phases = (_phase("head", ("head",), 10, score=score),)
        results.write(_results(phases=phases), self.path)
        found = results.read(self.path)
        self.assertIsNone(found.phases[0]["best_validation_score"])
        self.assertIsNone(found.test)
        self.assertIn("none", results.table(found))

    def test_writes_numbers_of_numpy_as_plain_ones(self):
        phases = (_phase("head", ("head",), np.int64(10), np.float32(0.5)),)
        results.write(_results(phases=phases, seed=np.int32(3)), self.path)
        found = results.read(self.path)
        self.assertEqual(found.seed, 3)
        self.assertEqual(found.phases[0]["best_validation_score"], 0.5)

    def test_writes_a_row_of_a_matrix_in_a_line(self):
        results.write(_results(evaluation=_evaluation()), self.path)
        lines = [line.strip() for line in self.path.read_text().splitlines()]
        self.assertIn("[1, 0],", lines)

    @parameterized.parameters(
        ({},),
        ({"a": []},),
        ({"a": {}, "b": [[]], "c": [{}, {"d": [1]}]},),
        ({'"': "é\n", "b": {"c": {"d": [[1], [2]]}}},),
    )
    def test_json_is_what_the_standard_library_reads(self, value):
        self.assertEqual(json.loads(results._json(value)), value)

    def test_keeps_the_old_file_if_writing_fails(self):
        results.write(_results(seed=1), self.path)
        with mock.patch.object(os, "replace", side_effect=OSError("full")):
            with self.assertRaisesRegex(OSError, "full"):
                results.write(_results(seed=2), self.path)
        self.assertEqual(results.read(self.path).seed, 1)
        self.assertEqual(os.listdir(self.path.parent), ["results.json"])

    def test_write_refuses_something_else(self):
        with self.assertRaisesRegex(TypeError, "results.collect"):
            results.write({"test": None}, self.path)

    def test_read_names_a_missing_file(self):
        with self.assertRaisesRegex(FileNotFoundError, "results.json.*ended"):
            results.read(self.path)

    @parameterized.parameters(
        ("{", "cannot be read as JSON"),
        ("[1]", "no results of this version"),
        ('{"seed": 0}', r"Got: \['seed'\]"),
    )
    def test_read_refuses(self, text, message):
        self.path.write_text(text)
        with self.assertRaisesRegex(ValueError, message):
            results.read(self.path)

    def test_table_shows_phases_and_test(self):
        lines = results.table(_results(evaluation=_evaluation())).splitlines()
        self.assertEqual(lines[0], "digits, tiny, head_then_top, seed 7")
        self.assertEqual(
            lines[4].split(),
            [
                "top",
                "stage2",
                "...",
                "head",
                "(3)",
                "3",
                "1.2",
                "400",
                "0.7500",
            ],
        )
        self.assertEqual(lines[6], "400 of 1,000 parameters trained.")
        self.assertEqual(lines[8], "Test: 2 examples, 2 classes")
        self.assertRegex(lines[9], r"^accuracy +0.5000  \[0\..*\]$")
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_table_shows_the_sparsity_of_phases_that_prune(self):
        phases = (
            _phase("head", ("head",), 10),
            _phase("top", ("stage3", "head"), 400, sparsity=0.75),
        )
        results.write(_results(phases=phases), self.path)
        found = results.read(self.path)
        self.assertEqual([p["sparsity"] for p in found.phases], [None, 0.75])
        lines = results.table(found).splitlines()
        self.assertEqual(
            [line.split()[-1] for line in lines[2:5]],
            ["sparsity", "none", "0.7500"],
        )

    def test_table_of_results_that_tell_no_sparsity_has_none(self):
        found = _results()
        for phase in found.phases:
            del phase["sparsity"]
        self.assertNotIn("sparsity", results.table(found))


if __name__ == "__main__":
    absltest.main()
