"""A served model that is not what was trained does not pass."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

import tl_keras
from tl_keras import cards
from tl_keras import input_specs
from tl_keras.serving import cpp_loader
from tl_keras.serving import golden
from tl_keras.serving import savedmodel
from tl_keras.serving import self_check

# More with `TL_KERAS_KILLS=20`.
KILLS = int(os.environ.get("TL_KERAS_KILLS", 2))


def small_model():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((12, 12, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(4, name="scores"),
    ]
    return keras.Sequential(layers)


class CheckTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def _export(self, model=None, **options):
        return savedmodel.export(
            model or small_model(), self.folder / "pets", check=False, **options
        )

    def test_names_what_ran_and_what_did_not(self):
        path = self._export(classify=True)
        checked = self_check.check(path)
        self.assertEqual(checked.requests, 3)
        self.assertEqual(checked.warmup_records, 3)
        asked = {self_check.PYTHON}
        if shutil.which("g++") or shutil.which("clang++"):
            asked.add(self_check.LOADER)
        self.assertEqual(set(checked.ran), asked)
        for difference in checked.ran.values():
            self.assertLess(difference, 1e-5)
        if shutil.which("tensorflow_model_server") is None:
            self.assertIn("not asked: TensorFlow Serving", str(checked))

    def test_says_so_where_there_is_no_compiler(self):
        path = self._export()
        with mock.patch.object(shutil, "which", return_value=None):
            checked = self_check.check(path)
        self.assertIn("no compiler", checked.not_run[self_check.LOADER])
        self.assertEqual(set(checked.ran), {self_check.PYTHON})

    def test_says_so_where_the_compiler_fails(self):
        environment = {"TL_KERAS_CACHE": str(self.folder / "cache")}
        with mock.patch.dict(os.environ, environment):
            with mock.patch.object(shutil, "which", return_value="false"):
                program, reason = cpp_loader.program()
        self.assertIsNone(program)
        self.assertRegex(reason, "false failed")

    def test_asks_a_server_that_is_on_the_path(self):
        path = self._export(classify=True)
        self._put_a_server_on_the_path("Service(base / '1', name, port)")
        checked = self_check.check(path)
        self.assertLess(checked.ran[self_check.SERVER], 1e-5)
        self.assertNotIn("not asked: TensorFlow Serving", str(checked))

    def test_tells_what_a_server_said_that_ended(self):
        path = self._export()
        self._put_a_server_on_the_path("sys.exit('no licence')")
        with self.assertRaisesRegex(self_check.CheckError, "no licence"):
            self_check.check(path)

    def _put_a_server_on_the_path(self, body):
        # A stand-in: it speaks the protocol, and is not TensorFlow Serving.
        program = textwrap.dedent(f"""\
            #!{sys.executable}
            import pathlib, sys, time
            sys.path[:0] = {sys.path!r}
            from serving_for_tests import Service
            given = dict(a[2:].split("=", 1) for a in sys.argv[1:])
            base = pathlib.Path(given["model_base_path"])
            name, port = given["model_name"], given["port"]
            service = {body}
            time.sleep(600)
        """)
        folder = self.folder / "bin"
        folder.mkdir()
        file = folder / "tensorflow_model_server"
        file.write_text(program)
        file.chmod(0o755)
        path = os.pathsep.join([str(folder), os.environ["PATH"]])
        patched = mock.patch.dict(os.environ, {"PATH": path})
        patched.start()
        self.addCleanup(patched.stop)

    def test_refuses_other_weights(self):
        model = small_model()
        path = self._export(model)
        model.get_layer("scores").kernel.assign_add(
            np.random.default_rng(0).normal(size=(432, 4))
        )
        other = savedmodel.export(model, self.folder / "other", check=False)
        shutil.rmtree(path / "variables")
        shutil.copytree(other / "variables", path / "variables")
        with self.assertRaisesRegex(
            self_check.CheckError, "probabilities.*serving_default.*at most"
        ):
            self_check.check(path)

    def test_refuses_a_half_model(self):
        path = self._export()
        [data] = (path / "variables").glob("*.data-*")
        data.write_bytes(data.read_bytes()[:100])
        with self.assertRaisesRegex(self_check.CheckError, "does not load"):
            self_check.check(path)

    def test_refuses_a_folder_that_is_no_version(self):
        with self.assertRaisesRegex(ValueError, "no SavedModel"):
            self_check.check(self.folder)
        path = self._export()
        (path / "assets.extra" / golden.FILE).unlink()
        with self.assertRaisesRegex(ValueError, "no requests to check by"):
            self_check.check(path)

    def test_names_an_operation_that_servers_lack_and_its_layer(self):
        class Doubled(keras.layers.Layer):
            def call(self, inputs):
                doubled = tf.numpy_function(
                    lambda a: 2 * a, [inputs], tf.float32
                )
                return tf.ensure_shape(doubled, inputs.shape)

        inputs = keras.Input((12, 12, 3))
        outputs = keras.layers.Dense(2)(keras.layers.Flatten()(inputs))
        model = keras.Model(inputs, Doubled(name="my_doubled")(outputs))
        cards.attach(
            model,
            cards.Card(
                encoder="none",
                groups={},
                input_spec=input_specs.ImageSpec(size=12),
                num_classes=2,
            ),
        )
        with self.assertRaisesRegex(
            self_check.CheckError, "PyFunc.*my_doubled.*check=False"
        ):
            savedmodel.export(model, self.folder / "pets")
        self.assertFalse((self.folder / "pets" / "1").exists())

    def test_a_model_that_answers_by_chance_is_refused(self):
        class Noise(keras.layers.Layer):
            def call(self, inputs):
                return inputs + tf.random.normal(tf.shape(inputs))

        inputs = keras.Input((12, 12, 3))
        # Scaled, so that no class is certain whatever the noise.
        scaled = keras.layers.Rescaling(1 / 2550)(inputs)
        noisy = Noise()(keras.layers.Flatten()(scaled))
        model = keras.Model(inputs, keras.layers.Dense(3)(noisy))
        with self.assertRaisesRegex(self_check.CheckError, "random numbers"):
            savedmodel.export(model, self.folder / "pets")
        self.assertEqual(list((self.folder / "pets").glob("[0-9]*")), [])

    def test_mixed_precision_passes(self):
        encoder = tl_keras.encoders.load("tiny")
        model = tl_keras.build(
            encoder,
            tl_keras.heads.Classifier(num_classes=3),
            dtype_policy="mixed_bfloat16",
        )
        path = savedmodel.export(model, self.folder / "pets")
        _, tolerance = golden.read(path / "assets.extra")
        self.assertEqual(tolerance, golden.MIXED_TOLERANCE)


class FilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name) / "pets"

    def test_the_card_says_what_it_is(self):
        path = savedmodel.export(
            small_model(),
            self.directory,
            class_names=["a", "b", "ü", "d"],
            provenance={"test": {"accuracy": 0.5}},
            check=False,
        )
        card = json.loads((path / "assets.extra" / "tl_keras.json").read_text())
        self.assertEqual(card["class_names"], ["a", "b", "ü", "d"])
        self.assertEqual(card["provenance"], {"test": {"accuracy": 0.5}})
        self.assertEqual(card["versions"]["tensorflow"], tf.__version__)
        self.assertEqual(
            list(card["signatures"]), ["serving_default", "pixels"]
        )

    def test_refuses_provenance_that_is_not_for_json(self):
        with self.assertRaisesRegex(TypeError, "JSON cannot"):
            savedmodel.export(
                small_model(), self.directory, provenance={"a": object()}
            )
        self.assertFalse(self.directory.exists())

    def test_configs_are_what_tensorflow_serving_parses(self):
        savedmodel.export(small_model(), self.directory, check=False)
        config = text_format.Parse(
            (self.directory / "models.config").read_text(),
            model_server_config_pb2.ModelServerConfig(),
        )
        [one] = config.model_config_list.config
        self.assertEqual((one.name, one.base_path), ("pets", "/models/pets"))

    def test_what_an_owner_changed_stays(self):
        savedmodel.export(small_model(), self.directory, check=False)
        (self.directory / "models.config").write_text("mine")
        savedmodel.export(small_model(), self.directory, check=False)
        self.assertEqual((self.directory / "models.config").read_text(), "mine")

    def test_variables_and_graph_are_all_there_is(self):
        encoder = tl_keras.encoders.load("tiny")
        head = tl_keras.heads.Classifier(num_classes=3)
        model = tl_keras.build(encoder, head)
        path = savedmodel.export(model, self.directory, check=False)
        graph = (path / "saved_model.pb").stat().st_size
        total = graph + sum(
            file.stat().st_size for file in (path / "variables").iterdir()
        )
        weights = sum(4 * np.prod(w.shape) for w in model.weights)
        self.assertLess(total, 1.05 * (weights + graph))

    def test_golden_requests_survive_the_file(self):
        rng = np.random.default_rng(0)
        request = golden.Request(
            "s",
            {"x": rng.integers(0, 9, (2, 3)).astype("uint8")},
            {
                "p": rng.normal(size=(2, 4)).astype("float32"),
                "n": np.array([["é".encode(), b""]], object),
            },
        )
        self.directory.mkdir()
        golden.write([request], self.directory, 0.25)
        [read], tolerance = golden.read(self.directory)
        self.assertEqual((read.signature, tolerance), ("s", 0.25))
        np.testing.assert_array_equal(read.inputs["x"], request.inputs["x"])
        for name, array in request.outputs.items():
            np.testing.assert_array_equal(read.outputs[name], array)
            self.assertEqual(golden.difference(array, read.outputs[name]), 0.0)

    def test_differences_are_told(self):
        ones = np.ones((2, 2))
        self.assertEqual(golden.difference(ones, np.ones((2, 3))), np.inf)
        self.assertEqual(golden.difference(ones, ones * np.nan), np.inf)
        self.assertEqual(golden.difference(0 * ones, ones), np.inf)
        self.assertEqual(golden.difference(0 * ones, 0 * ones), 0.0)
        names = np.array([b"a"], object)
        self.assertEqual(golden.difference(names, np.array([b"b"])), np.inf)


class KilledTest(absltest.TestCase):
    def test_leaves_no_version_or_a_whole_one(self):
        program = textwrap.dedent("""
            import sys
            import keras
            import numpy as np
            from tl_keras.serving import savedmodel

            layers = [
                keras.Input((12, 12, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(2000),
            ]
            model = keras.Sequential(layers)
            while True:
                savedmodel.export(model, sys.argv[1], check=False)
                print("exported", flush=True)
        """)
        random = np.random.default_rng(int(time.time()))
        whole = 0
        for _ in range(KILLS):
            directory = pathlib.Path(self.create_tempdir().full_path) / "pets"
            process = subprocess.Popen(
                [sys.executable, "-c", program, str(directory)],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            process.stdout.readline()  # It has imported, and exported once.
            time.sleep(random.uniform(0, 2))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            for version in directory.glob("[0-9]*"):
                loaded = tf.saved_model.load(str(version))
                requests, _ = golden.read(version / "assets.extra")
                answer = loaded.signatures["serving_default"](
                    image_bytes=tf.constant(requests[0].inputs["image_bytes"])
                )
                difference = golden.difference(
                    requests[0].outputs["probabilities"],
                    answer["probabilities"],
                )
                self.assertLess(difference, 1e-4)
                whole += 1
        self.assertGreaterEqual(whole, KILLS)


if __name__ == "__main__":
    absltest.main()
