"""Tests of explaining and corrupting with a finished run."""

import json
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest

import tl_keras
from tl_keras import configs
from tl_keras import corrupting
from tl_keras import explaining
from tl_keras import inference
from tl_keras.evaluation import corruptions
from tl_keras.evaluation import robustness
from tl_keras.interpretation import requests
from tl_keras.reports import explanation_files
from tl_keras.reports import results


class FinishedRunTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.workdir = pathlib.Path(
            absltest.get_default_test_tmpdir(), "explained_run"
        )
        cls.run_result = tl_keras.run(
            configs.load(
                overrides=[
                    "data.train_examples=200",
                    "plan.name=linear_probe",
                    "plan.options.epochs=2",
                    "check_export=false",
                    f"workdir={cls.workdir}",
                ]
            ),
            overwrite=True,
            verbose=0,
        )

    def picture(self, name="digit.png"):
        path = pathlib.Path(self.create_tempdir().full_path) / name
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
        tf.io.write_file(str(path), tf.io.encode_png(pixels))
        return path

    def test_writes_what_it_found_and_a_picture_each(self):
        path = self.picture()
        found = explaining.explain(
            self.workdir,
            [path],
            request=requests.Request(
                methods=["grad_cam", "occlusion"], class_name="3", neighbours=2
            ),
        )
        folder = self.workdir / "explanations"
        written = json.loads((folder / "explanations.json").read_text())
        self.assertEqual(written, json.loads(json.dumps(found)))
        self.assertEqual(found["methods"], ["grad_cam", "occlusion"])
        [prediction] = inference.predict(self.workdir, [path])
        for one in found["explanations"]:
            self.assertEqual(one["class_name"], "3")
            self.assertEqual(one["predicted"], prediction.class_name)
            self.assertAlmostEqual(
                one["probability"], prediction.probabilities["3"], places=5
            )
            self.assertTrue((folder / one["picture"]).is_file())
            self.assertLen(one["checks"]["deletion"], 15)
        self.assertEqual(
            [one["layer"] for one in found["explanations"]],
            ["stage3_relu2", None],
        )
        [near] = found["neighbours"]
        self.assertLen(near["neighbours"], 2)
        self.assertIn("digit.png", explanation_files.table(found))

    def test_explains_the_worst_errors_of_the_test_part(self):
        out = self.create_tempdir().full_path
        found = explaining.explain(
            self.workdir,
            request=requests.Request(top_losses=3, check=False),
            out=out,
        )
        losses = [one["loss"] for one in found["top_losses"]]
        self.assertEqual(losses, sorted(losses, reverse=True))
        self.assertLen(found["explanations"], 3)
        for worst, one in zip(
            found["top_losses"], found["explanations"], strict=True
        ):
            self.assertEqual(one["predicted"], worst["predicted"])
            self.assertTrue((pathlib.Path(out) / one["picture"]).is_file())
        pair = found["confused_pairs"][0]
        matrix = self.run_result.test.confusion_matrix
        names = list(self.run_result.test.per_class)
        row, column = map(names.index, (pair["label"], pair["predicted"]))
        self.assertEqual(pair["count"], matrix[row][column])

    def test_two_files_of_one_name_get_a_picture_each(self):
        found = explaining.explain(
            self.workdir,
            [self.picture(), self.picture()],
            request=requests.Request(check=False),
            out=self.create_tempdir().full_path,
        )
        self.assertEqual(
            [one["picture"] for one in found["explanations"]],
            ["digit.grad_cam.png", "digit_2.grad_cam.png"],
        )

    def test_an_unknown_class_gets_the_list(self):
        with self.assertRaisesRegex(ValueError, "Unknown `class`"):
            explaining.explain(
                self.workdir,
                [self.picture()],
                request=requests.Request(class_name="cat"),
            )

    def test_corruptions_go_into_the_results(self):
        found = corrupting.evaluate(self.workdir, max_examples=6)
        self.assertCountEqual(found.accuracy, corruptions.NAMES)
        read = results.read(self.workdir / "results.json")
        self.assertEqual(
            read.robustness["accuracy"], found.as_dict()["accuracy"]
        )
        self.assertTrue((self.workdir / "corruptions.png").is_file())
        self.assertIn("motion_blur", str(found))
        self.assertIsInstance(found, robustness.Robustness)

    def test_evaluates_over_views(self):
        plain = inference.evaluate(self.workdir)
        flipped = inference.evaluate(
            self.workdir, test_time_augmentation="flip"
        )
        self.assertEqual(flipped.num_examples, plain.num_examples)
        self.assertNotEqual(flipped.log_loss, plain.log_loss)
        self.assertEqual(list(flipped.per_class), list(plain.per_class))


if __name__ == "__main__":
    absltest.main()
