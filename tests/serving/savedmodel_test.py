"""Tests of a classifier as a versioned SavedModel."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from unittest import mock

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import cards
from tl_keras import encoders
from tl_keras import heads
from tl_keras import input_specs
from tl_keras import models
from tl_keras.data import images as data_images
from tl_keras.serving import savedmodel


def _model(activation=None, height=8, width=8):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((height, width, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dense(200, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(3, activation=activation),
    ]
    return keras.Sequential(layers)


def _images(number=5, height=8, width=8):
    rng = np.random.default_rng(1)
    shape = (number, height, width, 3)
    return rng.integers(0, 256, shape).astype("uint8")


def _export(model, directory, **options):
    # What self_check_test.py tests takes seconds.
    return savedmodel.export(model, directory, check=False, **options)


def _answer(path, images):
    signature = tf.saved_model.load(str(path)).signatures["pixels"]
    outputs = signature(images=tf.constant(images))
    return {name: value.numpy() for name, value in outputs.items()}


def _run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


class ExportTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.parent = pathlib.Path(folder.name)
        self.directory = self.parent / "pets"

    def _entries(self):
        beside = ("SERVING.md", "batching_parameters.txt", "models.config")
        names = [entry.name for entry in self.directory.iterdir()]
        return sorted(set(names) - set(beside))

    def test_answers_as_the_model_in_a_process_without_keras(self):
        model, images = _model(), _images()
        names = ["cat", "dog", "hibou à l'œil"]
        path = _export(model, self.directory, class_names=names)
        np.save(self.parent / "images.npy", images)
        program = """
            import sys

            # TensorFlow imports Keras on its own where it finds it.
            sys.modules["keras"] = sys.modules["tl_keras"] = None
            import numpy as np
            import tensorflow as tf

            path, folder = sys.argv[1:]
            serve = tf.saved_model.load(path).signatures["pixels"]
            images = tf.constant(np.load(folder + "/images.npy"))
            outputs = serve(images=images)
            names = {"probabilities", "class_names", "top_classes"}
            assert set(outputs) == names, outputs
            np.save(folder + "/probabilities.npy", outputs["probabilities"])
            np.save(folder + "/names.npy", outputs["class_names"].numpy(), True)
        """
        finished = _run(program, str(path), str(self.parent))
        self.assertEqual(finished.returncode, 0, finished.stderr)

        logits = model(images.astype("float32"), training=False).numpy()
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        probabilities = np.load(self.parent / "probabilities.npy")
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        self.assertEqual(probabilities.dtype, np.float32)
        served = np.load(self.parent / "names.npy", allow_pickle=True)
        self.assertEqual(served.shape, (5, 3))
        for row in served:
            self.assertEqual([name.decode() for name in row], names)
        labels = (path / "assets.extra" / "labels.txt").read_text("utf-8")
        self.assertEqual(labels.splitlines(), names)

    def test_carries_the_table_of_a_module_of_tensorflow_1(self):
        module = modules_for_tests.tf1_text_module(
            self.parent / "module", ["good", "bad", "film"]
        )
        encoder = encoders.load(f"hub:{module}")
        texts = tf.constant(["bad", "film", "neither"])
        np.testing.assert_array_equal(
            encoder.model(texts), np.eye(4, dtype="float32")[1:]
        )
        model = models.build(encoder, heads.Classifier(num_classes=2))
        expected = keras.ops.softmax(model(texts))
        exported = _export(model, self.directory)
        shutil.rmtree(module)
        program = """
            import sys
            import tensorflow as tf
            serve = tf.saved_model.load(sys.argv[1]).signatures
            texts = tf.constant(["bad", "film", "neither"])
            answer = serve["serving_default"](texts=texts)
            print(answer["probabilities"].numpy().tolist())
        """
        ran = _run(program, str(exported))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        np.testing.assert_allclose(
            json.loads(ran.stdout), expected, rtol=1e-5, atol=1e-7
        )

    @parameterized.parameters(
        (keras.layers.TextVectorization, "multi_hot"),
        (keras.layers.StringLookup, "one_hot"),
    )
    def test_carries_the_tables_of_layers_of_keras(self, kind, mode):
        texts = keras.Input((), dtype="string")
        layer = kind(vocabulary=["a", "b"], output_mode=mode)
        outputs = keras.layers.Dense(2)(keras.ops.cast(layer(texts), "float32"))
        model = keras.Model(texts, outputs)
        exported = _export(model, self.directory)
        given = tf.constant(["a", "b", "c"])
        served = tf.saved_model.load(str(exported)).signatures[
            "serving_default"
        ](texts=given)
        np.testing.assert_allclose(
            served["probabilities"],
            keras.ops.softmax(model(given)),
            rtol=1e-5,
        )

    def test_carries_what_of_a_module_is_no_weight(self):
        class Signed(tf.Module):
            def __init__(self):
                super().__init__()
                self.weight = tf.Variable(tf.ones([3, 4]))
                self.negative = tf.Variable(True, trainable=False)

            @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
            def __call__(self, images):
                features = tf.reduce_mean(images, [1, 2]) @ self.weight
                return tf.where(self.negative, -features, features)

        tf.saved_model.save(Signed(), self.parent / "module")
        encoder = encoders.load(f"hub:{self.parent}/module", image_size=8)
        model = models.build(encoder, heads.Classifier(num_classes=2))
        exported = _export(model, self.directory)
        np.testing.assert_allclose(
            _answer(exported, _images())["probabilities"],
            keras.ops.softmax(model(_images())),
            rtol=1e-5,
        )

    def test_takes_a_model_that_gives_a_dict_of_one(self):
        model = _model()
        named = keras.Model(model.inputs, {"logits": model.outputs[0]})
        exported = _export(named, self.directory)
        np.testing.assert_allclose(
            _answer(exported, _images())["probabilities"],
            keras.ops.softmax(model(_images())),
            rtol=1e-5,
        )

    def test_stores_each_variable_once(self):
        model = _model()
        model.compile("adam", metrics=["accuracy"])
        path = _export(model, self.directory)
        stored = sum(
            entry.stat().st_size for entry in (path / "variables").iterdir()
        )
        # The index and the names of the variables come on top.
        self.assertBetween(stored / (4 * model.count_params()), 1.0, 1.05)

    def test_works_for_mirrored_variables(self):
        program = """
            import sys

            import keras
            import numpy as np
            import tensorflow as tf

            tf.config.set_logical_device_configuration(
                tf.config.list_physical_devices("CPU")[0],
                [tf.config.LogicalDeviceConfiguration()] * 2,
            )
            strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
            from tl_keras import serving

            with strategy.scope():
                layers = [
                    keras.Input((8, 8, 3)),
                    keras.layers.BatchNormalization(),
                    keras.layers.Flatten(),
                    keras.layers.Dense(200, activation="softmax"),
                ]
                model = keras.Sequential(layers)
                inside = serving.export(model, sys.argv[1], check=False)
            outside = serving.export(model, sys.argv[1], check=False)
            assert (inside.name, outside.name) == ("1", "2")
            images = np.full((2, 8, 8, 3), 7, "uint8")
            np.save(sys.argv[1] + "/expected.npy", model(images))
            print(4 * model.count_params())
        """
        finished = _run(program, str(self.directory))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        num_bytes = int(finished.stdout)
        expected = np.load(self.directory / "expected.npy")
        for version in "12":
            path = self.directory / version
            answer = _answer(path, np.full((2, 8, 8, 3), 7, "uint8"))
            np.testing.assert_allclose(
                answer["probabilities"], expected, atol=1e-5
            )
            files = (path / "variables").iterdir()
            stored = sum(entry.stat().st_size for entry in files)
            self.assertLess(stored, 1.2 * num_bytes)

    @parameterized.parameters((13, 8), (5, 20), (8, 8), (1, 1))
    def test_takes_images_of_any_size(self, height, width):
        model = _model("softmax")
        path = _export(model, self.directory)
        # Whatever the method, an even colour is the same after resizing.
        images = np.empty((2, height, width, 3), "uint8")
        images[0], images[1] = (10, 200, 30), (255, 0, 128)
        resized = np.empty((2, 8, 8, 3), "float32")
        resized[:] = images[:, :1, :1]
        np.testing.assert_allclose(
            _answer(path, images)["probabilities"], model(resized), atol=1e-5
        )

    @parameterized.parameters(False, True)
    def test_resizes_as_the_data_does(self, keep_aspect_ratio):
        model, images = _model("softmax"), _images(height=12, width=30)
        path = _export(
            model, self.directory, keep_aspect_ratio=keep_aspect_ratio
        )
        resized = data_images.resize(tf.constant(images), 8, keep_aspect_ratio)
        np.testing.assert_allclose(
            _answer(path, images)["probabilities"],
            model(tf.cast(resized, tf.float32), training=False),
            atol=1e-5,
        )

    def test_takes_only_the_size_of_a_model_that_is_not_square(self):
        model, images = _model("softmax", width=6), _images(width=6)
        path = _export(model, self.directory)
        np.testing.assert_allclose(
            _answer(path, images)["probabilities"],
            model(images.astype("float32"), training=False),
            atol=1e-5,
        )

    def test_takes_an_empty_batch(self):
        path = _export(_model(), self.directory)
        answer = _answer(path, _images(0))
        self.assertEqual(answer["probabilities"].shape, (0, 3))
        self.assertEqual(answer["class_names"].shape, (0, 3))

    def test_takes_the_names_from_the_card(self):
        model = _model()
        card = cards.Card(
            encoder="none",
            groups={},
            preprocessing_output=None,
            trained_range=(0.0, 255.0),
            input_spec=input_specs.ImageSpec(size=8),
            num_classes=3,
            class_names=("cat", "dog", "owl"),
        )
        cards.attach(model, card)
        path = _export(model, self.directory)
        labels = (path / "assets.extra" / "labels.txt").read_text()
        self.assertEqual(labels, "cat\ndog\nowl\n")

    def test_numbers_classes_without_names(self):
        path = _export(_model(), self.directory)
        labels = (path / "assets.extra" / "labels.txt").read_text()
        self.assertEqual(labels, "0\n1\n2\n")

    def test_counts_versions_on_and_ignores_other_names(self):
        for name in ("1", "007", "-9", "1.5", "backup", "12_old", "²"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "3").write_text("a file takes its number too")
        self.assertEqual(_export(_model(), self.directory).name, "8")
        self.assertEqual(_export(_model(), str(self.directory)).name, "9")
        self.assertLen(self._entries(), 10)

    def test_takes_the_next_number_if_another_export_was_faster(self):
        (self.directory / "1").mkdir(parents=True)
        (self.directory / "1" / "saved_model.pb").write_text("")
        with mock.patch.object(
            savedmodel, "_next_version", side_effect=[1, 1, 2]
        ):
            path = _export(_model(), self.directory)
        self.assertEqual(path.name, "2")
        self.assertEqual(self._entries(), ["1", "2"])

    def test_refuses_a_directory_without_a_free_version(self):
        (self.directory / str(2**63 - 1)).mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "no version free"):
            _export(_model(), self.directory)

    @parameterized.parameters(
        OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()
    )
    def test_leaves_no_version_after_an_interruption(self, error):
        def fail(module, path, **options):
            pathlib.Path(path, "saved_model.pb").write_text("half")
            raise error

        _export(_model(), self.directory)
        with mock.patch.object(tf.saved_model, "save", fail):
            with self.assertRaises(type(error)):
                _export(_model(), self.directory)
        self.assertEqual(self._entries(), ["1"])

    def test_removes_what_an_export_left_that_was_killed_long_ago(self):
        for name in (".export-old", ".export-new"):
            (self.directory / name / "variables").mkdir(parents=True)
        day_before = time.time() - 90_000
        os.utime(self.directory / ".export-old", (day_before, day_before))
        _export(_model(), self.directory)
        self.assertEqual(self._entries(), [".export-new", "1"])

    def test_refuses_a_file_in_place_of_the_directory(self):
        self.directory.write_text("")
        with self.assertRaisesRegex(NotADirectoryError, "is a file.*pets"):
            _export(_model(), self.directory)
        with self.assertRaisesRegex(NotADirectoryError, "cannot be written"):
            _export(_model(), self.directory / "below")

    def test_refuses_a_directory_that_cannot_be_written(self):
        # A test may run as root, whom no permission stops.
        error = PermissionError(errno.EACCES, "Permission denied")
        with mock.patch.object(tempfile, "mkdtemp", side_effect=error):
            with self.assertRaisesRegex(
                PermissionError, "cannot be written.*Permission denied.*pets"
            ):
                _export(_model(), self.directory)

    def test_refuses_a_remote_directory(self):
        with self.assertRaisesRegex(ValueError, "not local.*gs://bucket"):
            _export(_model(), "gs://bucket/pets")

    def test_refuses_one_string_of_names(self):
        with self.assertRaisesRegex(TypeError, "one string.*'abc'"):
            _export(_model(), self.directory, class_names="abc")

    @parameterized.parameters(
        (["a", "b"], "2 names.*Expected 3"),
        (["a", "b", "c\nd"], "line break"),
        (["a", "b", ""], "empty"),
    )
    def test_refuses_names_that_do_not_fit(self, names, message):
        with self.assertRaisesRegex(ValueError, message):
            _export(_model(), self.directory, class_names=names)
        self.assertFalse(self.directory.exists())

    def test_refuses_a_model_without_known_shapes(self):
        class Subclassed(keras.Model):
            pass

        with self.assertRaisesRegex(TypeError, "Subclassed"):
            _export(Subclassed(), self.directory)

    @parameterized.parameters(
        ([keras.layers.Softmax()], "no classifier"),
        ([keras.layers.Flatten(), keras.layers.Dense(1)], "1 output"),
    )
    def test_refuses_a_model_that_is_no_classifier(self, layers, message):
        model = keras.Sequential([keras.Input((4, 4, 3)), *layers])
        with self.assertRaisesRegex(ValueError, message):
            _export(model, self.directory)


if __name__ == "__main__":
    absltest.main()
