"""What README.md shows works, and its links lead somewhere."""

import os
import pathlib
import re

import modules_for_tests
import serving_for_tests
import tensorflow as tf
from absl.testing import absltest

import tl_keras

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code_blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


class ReadmeTest(absltest.TestCase):
    def test_the_python_example_runs(self):
        example, *_ = code_blocks("python")
        lines = [line for line in example.splitlines() if line.strip()]
        self.assertLessEqual(len(lines), 15)
        before = os.getcwd()
        os.chdir(self.create_tempdir().full_path)
        self.addCleanup(os.chdir, before)
        names = {}
        exec(compile(example, "README.md", "exec"), names)
        # A tenth is what guessing reaches.
        self.assertGreater(names["result"].best_score, 0.5)
        self.assertTrue(pathlib.Path("runs/first/model.keras").is_file())
        self.assertTrue(pathlib.Path("serving/first/1").is_dir())

    def test_the_example_of_modules_runs(self):
        _, example, *_ = code_blocks("python")
        before = os.getcwd()
        os.chdir(self.create_tempdir().full_path)
        self.addCleanup(os.chdir, before)
        modules_for_tests.image_module("models/my_module", size=224)
        names = {}
        exec(compile(example, "README.md", "exec"), names)
        self.assertEqual(list(names["encoder"].groups), ["block_0", "block_1"])
        self.assertLen(names["model"].trainable_weights, 8)

    def test_the_example_of_the_client_runs(self):
        _, _, example, *_ = code_blocks("python")
        before = os.getcwd()
        os.chdir(self.create_tempdir().full_path)
        self.addCleanup(os.chdir, before)
        encoder = tl_keras.encoders.load("tiny")
        head = tl_keras.heads.Classifier(num_classes=2)
        version = tl_keras.serving.export(
            tl_keras.build(encoder, head),
            "pets",
            class_names=["cat", "dog"],
            check=False,
        )
        for name in ("a.jpg", "b.jpg"):
            image = tf.zeros([20, 30, 3], tf.uint8)
            tf.io.write_file(name, tf.io.encode_jpeg(image))
        service = serving_for_tests.Service(version, "pets")
        self.addCleanup(service.close)
        self.assertIn('"localhost:8500"', example)
        example = example.replace("localhost:8500", service.grpc_address)
        names = {}
        exec(compile(example, "README.md", "exec"), names)
        self.assertEqual(names["answer"]["probabilities"].shape, (2, 2))

    def test_the_example_of_devices_runs(self):
        *_, example = code_blocks("python")
        names = {}
        exec(compile(example, "README.md", "exec"), names)
        self.assertEqual(names["model"].output_shape, (None, 10))

    def test_the_two_commands_are_one_line_each(self):
        for marker in ("first command", "test command"):
            [command] = re.findall(
                rf"<!-- {marker} -->\n```sh\n(.*)\n```", README
            )
            self.assertStartsWith(command, "python3 -m venv ")

    def test_every_file_it_names_is_there(self):
        for name in re.findall(r"\b(?:examples|tests)/[\w./]+\w", README):
            self.assertTrue((ROOT / name).exists(), name)

    def test_ci_runs_the_test_command_of_this_file(self):
        script = (ROOT / ".ci" / "run").read_text()
        self.assertIn("<!-- test command -->", script)


if __name__ == "__main__":
    absltest.main()
