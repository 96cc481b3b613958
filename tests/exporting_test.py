"""The model of a finished run is exported as a user would ask for it."""

import json
import pathlib
import tempfile

import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import configs
from tl_keras import exporting
from tl_keras import runs
from tl_keras.serving import litert
from tl_keras.serving import onnx


class ExportTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name) / "run"
        config = configs.load(
            overrides=[
                "data.train_examples=400",
                "plan.name=linear_probe",
                "plan.options.epochs=4",
                "step_trial=false",
                f"workdir={cls.folder}",
            ]
        )
        cls.result = runs.run(config, verbose=0)

    def test_the_run_itself_exports_a_version_that_was_checked(self):
        extra = self.folder / "export" / "model" / "1" / "assets.extra"
        card = json.loads((extra / "tl_keras.json").read_text())
        self.assertEqual(card["encoder"], "tiny")
        self.assertEqual(card["provenance"]["dataset"], "digits")
        self.assertAlmostEqual(
            card["provenance"]["test"]["accuracy"], self.result.test.accuracy
        )
        checked = json.loads((extra / "check.json").read_text())
        self.assertEqual(checked["requests"], 3)
        self.assertNotEmpty(checked["ran"])

    def test_all_forms_from_one_call(self):
        exported = exporting.export(
            self.folder,
            exporting.FORMATS,
            name="digits",
            classify=True,
            max_accuracy_drop=0.05,
        )
        paths = [
            one.path.relative_to(self.folder / "export").as_posix()
            for one in exported
        ]
        forms = ("float32", "float16", "dynamic_range", "int8")
        self.assertEqual(
            paths,
            [
                "digits/1",
                *(f"litert/{form}.tflite" for form in forms),
                "onnx/model.onnx",
            ],
        )
        names = [str(digit) for digit in range(10)]
        for one in exported[1:5]:
            self.assertEqual(litert.read_labels(one.path), names)
            self.assertIn("classified alike", str(one))
        self.assertEqual(onnx.read_labels(exported[5].path), names)
        served = tf.saved_model.load(str(exported[0].path))
        self.assertIn("classify", served.signatures)
        self.assertIn("answered alike by", str(exported[0]))

    @parameterized.parameters(
        ({"to": ["tflite"]}, "tflite.*Expected one of.*litert"),
        ({"name": "a/b"}, "does not name a model"),
        ({"name": "litert"}, "does not name a model"),
        ({"to": "litert", "forms": ["int4"]}, "int4"),
        ({"to": "litert", "max_accuracy_drop": 2}, "max_accuracy_drop"),
    )
    def test_wrong_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            exporting.export(self.folder, **options)

    def test_a_folder_without_a_run(self):
        with self.assertRaisesRegex(ValueError, "no finished run"):
            exporting.export(self.create_tempdir().full_path)


if __name__ == "__main__":
    absltest.main()
