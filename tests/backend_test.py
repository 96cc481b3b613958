"""Tests of backend."""

import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest


class BackendTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.home = pathlib.Path(self.create_tempdir().full_path)

    def import_package(self, **variables):
        environment = dict(os.environ, KERAS_HOME=str(self.home))
        environment.pop("KERAS_BACKEND", None)
        return subprocess.run(
            [sys.executable, "-c", "import tl_keras"],
            env=environment | variables,
            capture_output=True,
            text=True,
        )

    def test_tensorflow_is_taken_said_or_unsaid(self):
        self.assertEqual(self.import_package().returncode, 0)
        shown = self.import_package(KERAS_BACKEND="tensorflow")
        self.assertEqual(shown.returncode, 0)

    def test_another_backend_in_the_environment_is_refused(self):
        shown = self.import_package(KERAS_BACKEND="jax")
        self.assertRegex(
            shown.stderr,
            "ImportError: tl_keras runs Keras on TensorFlow only. Got: the "
            "backend 'jax', from the variable KERAS_BACKEND.",
        )

    def test_another_backend_in_the_settings_file_is_refused(self):
        path = self.home / "keras.json"
        path.write_text(json.dumps({"backend": "torch"}))
        self.assertIn(f"'torch', from {path}", self.import_package().stderr)

    def test_the_environment_goes_before_the_settings_file(self):
        path = self.home / "keras.json"
        path.write_text(json.dumps({"backend": "torch"}))
        shown = self.import_package(KERAS_BACKEND="tensorflow")
        self.assertEqual(shown.returncode, 0)

    def test_an_unreadable_settings_file_is_passed_over(self):
        (self.home / "keras.json").write_text("{")
        self.assertEqual(self.import_package().returncode, 0)


if __name__ == "__main__":
    absltest.main()
