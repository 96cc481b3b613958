"""Tests of runs, and of inference on what a run leaves."""

import contextlib
import csv
import dataclasses
import io
import json
import pathlib
from unittest import mock

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tl_keras import configs
from tl_keras import inference
from tl_keras import runs
from tl_keras import workdirs
from tl_keras.evaluation import metrics
from tl_keras.evaluation import prediction_files
from tl_keras.evaluation import predictions


def small_config(workdir, **changes):
    return configs.RunConfig(
        **{
            "encoder": configs.EncoderConfig(weights=None),
            "data": configs.DataConfig(train_examples=100),
            "head": configs.HeadConfig(hidden_units=(8,)),
            "plan": configs.PlanConfig(
                name="head_then_top",
                options={"head_epochs": 2, "top_epochs": 1},
            ),
            "workdir": str(workdir),
            **changes,
        }
    )


class FinishedRunTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(absltest.get_default_test_tmpdir())
        cls.folder = folder / "finished_run"
        left_out = folder / "exclude.txt"
        left_out.write_text("# Two digits of the training part.\n0\n1\n")
        data = configs.DataConfig(train_examples=100, exclude=str(left_out))
        cls.result = runs.run(
            small_config(cls.folder, data=data), overwrite=True, verbose=0
        )
        cls.pictures = folder / "pictures"
        cls.pictures.mkdir(exist_ok=True)
        rng = np.random.default_rng(0)
        cls.images = rng.integers(0, 256, (3, 20, 30, 3), np.uint8)
        for index, image in enumerate(cls.images):
            path = cls.pictures / f"{index}.png"
            path.write_bytes(tf.io.encode_png(image).numpy())

    def test_the_workdir_holds_what_is_promised(self):
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(
            names,
            [
                "choices.json",
                "config.json",
                "confusion.png",
                "curves.png",
                "export",
                "log.csv",
                "model.keras",
                "pictures",
                "predictions.npz",
                "reliability.png",
                "report.html",
                "results.json",
            ],
        )

    def test_the_log_has_a_row_per_epoch(self):
        with (self.folder / "log.csv").open() as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(
            [(row["phase"], row["epoch"]) for row in rows],
            [("head", "1"), ("head", "2"), ("top", "1")],
        )

    def test_results_tell_phases_scores_and_origins(self):
        results = json.loads((self.folder / "results.json").read_text())
        self.assertEqual(
            [p["name"] for p in results["phases"]], ["head", "top"]
        )
        for name in ("groups", "seconds", "epochs", "best_validation_score"):
            self.assertIn(name, results["phases"][0])
        for name in (
            "accuracy",
            "top_5_accuracy",
            "balanced_accuracy",
            "macro_precision",
            "macro_recall",
            "macro_f1",
            "per_class",
            "confusion_matrix",
        ):
            self.assertIn(name, results["test"])
        self.assertEqual(results["test"]["num_examples"], 359)
        self.assertEqual(results["seed"], 0)
        self.assertEqual(results["versions"]["keras"], keras.__version__)
        self.assertRegex(results["data_fingerprint"], "^[0-9a-f]+$")
        self.assertEqual(results["excluded_examples"], {"train": 2})

    def test_the_saved_model_is_calibrated_and_results_tell_how(self):
        found = json.loads((self.folder / "results.json").read_text())
        calibration = found["calibration"]
        self.assertTrue(calibration["applied"])
        self.assertNotEqual(calibration["temperature"], 1.0)
        before, after = (
            calibration["validation"][when]["log_loss"]
            for when in ("before", "after")
        )
        self.assertLess(after, before)
        saved = inference.evaluate(self.folder, split="validation")
        self.assertAlmostEqual(saved.log_loss, after, places=5)
        self.assertAlmostEqual(
            calibration["test"]["after"]["expected_calibration_error"],
            found["test"]["expected_calibration_error"],
            places=6,
        )
        # Before it, logits were larger by the temperature.
        logits, labels = predictions.predict_logits(
            self.result.model,
            runs.prepare_data(
                runs.read_data(self.result.config.data),
                self.result.config.data,
                0,
                image_size=32,
            ).test,
        )
        uncalibrated = metrics.from_predictions(
            predictions.softmax(logits * calibration["temperature"]), labels
        )
        self.assertAlmostEqual(
            calibration["test"]["before"]["log_loss"],
            uncalibrated.log_loss,
            places=5,
        )

    def test_predictions_of_the_test_part_are_kept(self):
        kept = prediction_files.read(self.folder / "predictions.npz")
        self.assertLen(set(kept.ids), 359)
        again = metrics.from_predictions(kept.probabilities, kept.labels)
        self.assertEqual(
            again.confusion_matrix, self.result.test.confusion_matrix
        )

    def test_a_column_that_the_data_lacks_is_named(self):
        with self.assertRaisesRegex(ValueError, "no column 'hospital'"):
            inference.evaluate(self.folder, slices=["hospital"])

    def test_the_config_can_be_read_back(self):
        read = workdirs.read_config(self.folder)
        self.assertEqual(read, self.result.config)

    def test_evaluating_the_workdir_gives_the_same_scores(self):
        evaluation = inference.evaluate(self.folder)
        self.assertAlmostEqual(
            evaluation.log_loss, self.result.test.log_loss, places=5
        )
        self.assertEqual(
            evaluation.confusion_matrix, self.result.test.confusion_matrix
        )

    def test_evaluates_the_validation_part_that_training_used(self):
        evaluation = inference.evaluate(self.folder, split="validation")
        # The model has the weights of the best epoch by validation accuracy.
        self.assertAlmostEqual(
            evaluation.accuracy, self.result.fit.best_score, places=6
        )

    def test_of_other_data_every_example_counts(self):
        path = self.folder.parent / "same.npz"
        images = np.zeros((30, 8, 8, 3), np.uint8)
        np.savez(path, x_train=images, y_train=np.arange(30) % 10)
        evaluation = inference.evaluate(
            self.folder, dataset=f"npz:{path}", split="train"
        )
        self.assertEqual(evaluation.num_examples, 30)

    def test_evaluating_data_of_other_classes_shows_both_lists(self):
        path = self.folder.parent / "other.npz"
        images = np.zeros((20, 8, 8, 3), np.uint8)
        np.savez(path, x_train=images, y_train=[0, 1] * 10)
        with self.assertRaisesRegex(ValueError, "not those of the model"):
            inference.evaluate(self.folder, dataset=f"npz:{path}")

    def test_predicts_what_the_export_serves(self):
        predictions = inference.predict(self.folder, [self.pictures])
        version = self.folder / "export" / "model" / "1"
        served = tf.saved_model.load(str(version))
        files = sorted(self.pictures.iterdir())
        answer = served.signatures["serving_default"](
            image_bytes=tf.constant([file.read_bytes() for file in files])
        )
        probabilities = [list(p.probabilities.values()) for p in predictions]
        np.testing.assert_allclose(
            probabilities, answer["probabilities"].numpy(), atol=1e-5
        )
        names = answer["class_names"].numpy()[0].astype(str).tolist()
        self.assertEqual(list(predictions[0].probabilities), names)

    def test_one_path_may_be_given_as_it_is(self):
        path = self.pictures / "0.png"
        for given in (path, str(path), [path]):
            [prediction] = inference.predict(self.folder, given)
            self.assertEqual(prediction.input, str(path))

    def test_hidden_folders_are_passed_by(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        for name in ("a.png", ".checkpoints/b.png"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes((self.pictures / "0.png").read_bytes())
        [prediction] = inference.predict(self.folder, folder)
        self.assertEqual(prediction.input, str(folder / "a.png"))

    def test_a_text_is_shown_on_one_line(self):
        prediction = inference.Prediction("a\tb\nc", "good", 0.5, {})
        self.assertEqual(str(prediction), "a b c\tgood\t0.5000")

    def test_the_predicted_class_is_the_most_probable(self):
        for prediction in inference.predict(self.folder, [self.pictures]):
            best = max(prediction.probabilities.values())
            self.assertEqual(prediction.probability, best)
            self.assertEqual(
                prediction.probabilities[prediction.class_name], best
            )

    def test_predictions_go_into_a_table(self):
        predictions = inference.predict(self.folder, [self.pictures])
        path = self.create_tempfile("out.csv").full_path
        inference.write_csv(predictions, path)
        with open(path) as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(
            [pathlib.Path(row["input"]).name for row in rows],
            ["0.png", "1.png", "2.png"],
        )
        self.assertEqual(rows[0]["class"], predictions[0].class_name)
        total = sum(float(rows[0][str(digit)]) for digit in range(10))
        self.assertAlmostEqual(total, 1.0, places=5)

    def test_an_unreadable_image_is_named(self):
        path = self.create_tempfile("broken.jpg", "no image").full_path
        with self.assertRaisesRegex(ValueError, "broken.jpg cannot be decoded"):
            inference.predict(self.folder, [path])

    def test_a_missing_image_and_an_empty_folder_are_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "'absent.png'"):
            inference.predict(self.folder, ["absent.png"])
        empty = self.create_tempdir().full_path
        with self.assertRaisesRegex(ValueError, "has no images"):
            inference.predict(self.folder, [empty])


class TableRunTest(absltest.TestCase):
    """A run on a table with columns of its own, and other tables."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(absltest.get_default_test_tmpdir()) / "table"
        cls.folder.mkdir(exist_ok=True)
        module = cls.folder / "module"
        if not module.is_dir():
            modules_for_tests.text_module(module)
        config = small_config(
            cls.folder / "run",
            data=configs.DataConfig(
                name=f"csv:{cls.table('own', 'review', 'mood')}",
                text_column="review",
                label_column="mood",
            ),
            encoder=configs.EncoderConfig(name=f"hub:{module}"),
            plan=configs.PlanConfig(name="linear_probe", options={"epochs": 1}),
        )
        runs.run(config, overwrite=True, verbose=0)

    @classmethod
    def table(cls, name, text, label):
        path = cls.folder / f"{name}.csv"
        rows = ["a good film,good", "a bad film,bad"] * 10
        path.write_text("\n".join([f"{text},{label}", *rows]) + "\n")
        return path

    def evaluate(self, path, **options):
        return inference.evaluate(
            self.folder / "run",
            dataset=f"csv:{path}",
            split="train",
            **options,
        )

    def test_other_tables_have_their_own_columns(self):
        usual = self.evaluate(self.table("usual", "text", "label"))
        self.assertEqual(usual.num_examples, 20)
        named = self.evaluate(
            self.table("named", "words", "feeling"),
            text_column="words",
            label_column="feeling",
        )
        self.assertEqual(named.confusion_matrix, usual.confusion_matrix)

    def test_the_runs_own_columns_are_known(self):
        with self.assertRaisesRegex(ValueError, "knows its own columns"):
            inference.evaluate(self.folder / "run", text_column="review")

    def test_one_text_may_be_given_as_it_is(self):
        [prediction] = inference.predict(
            self.folder / "run", texts="a good film"
        )
        self.assertEqual(prediction.input, "a good film")


class RunTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.config = small_config(
            self.folder,
            plan=configs.PlanConfig(name="linear_probe", options={"epochs": 1}),
            report=configs.ReportConfig(write=False),
        )

    def test_equal_seeds_give_equal_weights(self):
        first = runs.run(self.config, verbose=0).model.get_weights()
        second = runs.run(self.config, overwrite=True, verbose=0).model
        for one, other in zip(first, second.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_a_config_without_a_workdir_is_refused(self):
        with self.assertRaisesRegex(ValueError, "--workdir=runs/first"):
            runs.run(configs.RunConfig())

    def test_something_else_than_a_config_is_refused(self):
        with self.assertRaisesRegex(TypeError, "Expected: RunConfig"):
            runs.run({"seed": 1})

    def test_a_wrong_name_leaves_the_earlier_run_alone(self):
        kept = self.folder / "model.keras"
        kept.write_text("earlier")
        config = dataclasses.replace(
            self.config, encoder=configs.EncoderConfig(name="tinny")
        )
        with self.assertRaisesRegex(ValueError, "Did you mean 'tiny'"):
            runs.run(config, overwrite=True, verbose=0)
        self.assertEqual(kept.read_text(), "earlier")

    def test_a_missing_tensorboard_leaves_the_workdir_alone(self):
        config = dataclasses.replace(self.config, tensorboard=True)
        with mock.patch.dict("sys.modules", {"tensorboard": None}):
            with self.assertRaisesRegex(ImportError, "not installed"):
                runs.run(config, verbose=0)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_data_without_a_test_part_ends_without_test_scores(self):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (40, 8, 8, 3), np.uint8)
        path = self.folder / "train_only.npz"
        np.savez(path, x_train=images, y_train=[0, 1] * 20)
        config = dataclasses.replace(
            self.config, data=configs.DataConfig(name=f"npz:{path}")
        )
        result = runs.run(config, verbose=0)
        self.assertIsNone(result.test)
        results = json.loads((self.folder / "results.json").read_text())
        self.assertIsNone(results["test"])
        self.assertFalse((self.folder / "confusion.png").exists())
        with self.assertRaisesRegex(ValueError, "no test part.*validation"):
            inference.evaluate(self.folder)

    def test_mixed_precision_keeps_logits_in_float32(self):
        config = dataclasses.replace(self.config, precision="mixed_bfloat16")
        model = runs.run(config, verbose=0).model
        self.assertEqual(model.output.dtype, "float32")
        self.assertEqual(
            model.get_layer("stage3_conv1").compute_dtype, "bfloat16"
        )

    def test_silence_means_silence(self):
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            runs.run(self.config, verbose=0)
        self.assertEqual(shown.getvalue(), "")


if __name__ == "__main__":
    absltest.main()
