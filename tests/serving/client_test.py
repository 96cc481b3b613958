"""Tests of the client of TensorFlow Serving."""

import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import serving_for_tests
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.serving import client
from tl_keras.serving import served

_CLASS_NAMES = ("Bär", "猫", "owl")
_PROTOCOLS = ("grpc", "rest")


class _Classifier(tf.Module):
    """Decodes images of any size and weighs their pixels."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        self.kernel = tf.Variable(
            rng.normal(size=(48, 3), scale=0.01).astype("float32")
        )

    def _features(self, images):
        resized = tf.image.resize(tf.cast(images, tf.float32), (4, 4))
        return tf.reshape(resized, (-1, 48))

    def _outputs(self, features):
        probabilities = tf.nn.softmax(features @ self.kernel)
        names = tf.constant(_CLASS_NAMES)
        rows = tf.shape(probabilities)[0]
        order = tf.math.top_k(probabilities, 2).indices
        return {
            "probabilities": probabilities,
            "class_names": tf.tile(names[None], (rows, 1)),
            "top_classes": tf.gather(names, order),
        }

    def _decoded(self, image_bytes):
        def decode(one):
            image = tf.io.decode_image(one, 3, expand_animations=False)
            return tf.image.resize(tf.cast(image, tf.float32), (4, 4))

        spec = tf.TensorSpec((4, 4, 3))
        return tf.map_fn(decode, image_bytes, fn_output_signature=spec)

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")]
    )
    def serve(self, image_bytes):
        return self._outputs(self._features(self._decoded(image_bytes)))

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")]
    )
    def embed(self, image_bytes):
        return {"features": self._features(self._decoded(image_bytes))}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.uint8, "images")
        ]
    )
    def pixels(self, images):
        return self._outputs(self._features(images))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
    def shout(self, texts):
        marked = tf.strings.join([texts, "!"])
        return {
            "shouts": marked,
            "raw_bytes": marked,
            "byte_counts": tf.strings.length(texts),
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, "left"),
            tf.TensorSpec([None], tf.float32, "right"),
        ]
    )
    def add(self, left, right):
        return {"sums": left + right}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
    def count(self, texts):
        return {"number": tf.size(texts)}


def _save():
    path = os.path.join(tempfile.mkdtemp(), "3")
    module = _Classifier()
    tf.saved_model.save(
        module,
        path,
        signatures={
            "serving_default": module.serve,
            "embed": module.embed,
            "pixels": module.pixels,
            "shout": module.shout,
            "add": module.add,
            "count": module.count,
        },
    )
    return path


def _images(number):
    """Encoded images of several sizes and formats."""
    rng = np.random.default_rng(number)
    encode = (tf.io.encode_jpeg, tf.io.encode_png)
    return [
        encode[index % 2](
            rng.integers(0, 256, (5 + index % 4, 6, 3)).astype("uint8")
        ).numpy()
        for index in range(number)
    ]


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class _WithService(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = _save()
        cls.service = serving_for_tests.Service(path, "bears")
        cls.addClassCleanup(cls.service.close)
        cls.signatures = tf.saved_model.load(path).signatures

    def setUp(self):
        super().setUp()
        self.service.reset()

    def client(self, protocol, **options):
        address = getattr(self.service, f"{protocol}_address")
        made = client.Client(address, "bears", protocol=protocol, **options)
        self.addCleanup(made.close)
        return made


class AnswersTest(_WithService):
    @parameterized.product(protocol=_PROTOCOLS, number=(1, 7, 64))
    def test_are_those_of_the_signature(self, protocol, number):
        images = _images(number)
        expected = self.signatures["serving_default"](
            image_bytes=tf.constant(images)
        )
        answer = self.client(protocol).predict(images)
        self.assertEqual(set(answer), set(expected))
        self.assertEqual(answer["probabilities"].dtype, np.float32)
        np.testing.assert_allclose(
            answer["probabilities"], expected["probabilities"], rtol=1e-5
        )
        top = [
            [name.decode() for name in row]
            for row in expected["top_classes"].numpy()
        ]
        self.assertEqual(answer["top_classes"].tolist(), top)

    @parameterized.parameters(*_PROTOCOLS)
    def test_names_are_text_in_any_script(self, protocol):
        names = self.client(protocol).predict(_images(2))["class_names"]
        self.assertEqual(names.dtype.kind, "U")
        self.assertEqual(names.tolist(), [list(_CLASS_NAMES)] * 2)

    @parameterized.product(protocol=_PROTOCOLS, dtype=("uint8", "int64"))
    def test_pixels_are_an_array(self, protocol, dtype):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (5, 8, 9, 3)).astype("uint8")
        expected = self.signatures["pixels"](images=tf.constant(images))
        answer = self.client(protocol, batch_size=2).predict(
            images.astype(dtype), "pixels"
        )
        np.testing.assert_allclose(
            answer["probabilities"], expected["probabilities"], rtol=1e-5
        )
        self.assertEqual(self.service.batch_sizes, [2, 2, 1])

    @parameterized.parameters(*_PROTOCOLS)
    def test_an_only_output_has_its_name(self, protocol):
        answer = self.client(protocol).predict(_images(3), "embed")
        self.assertEqual(answer["features"].shape, (3, 48))

    @parameterized.parameters(*_PROTOCOLS)
    def test_texts_are_str_or_bytes(self, protocol):
        answer = self.client(protocol).predict(["ä", b"bc"], "shout")
        self.assertEqual(answer["shouts"].tolist(), ["ä!", "bc!"])
        self.assertEqual(answer["byte_counts"].tolist(), [2, 2])
        as_array = self.client(protocol).predict(np.array(["ä"]), "shout")
        self.assertEqual(as_array["shouts"].tolist(), ["ä!"])

    @parameterized.parameters(*_PROTOCOLS)
    def test_bytes_stay_bytes(self, protocol):
        # Every byte there is, zeros at the end too, and no UTF-8.
        value = bytes(range(256)) + b"\0\0"
        answer = self.client(protocol).predict([value, b""], "shout")
        self.assertEqual(answer["raw_bytes"].tolist(), [value + b"!", b"!"])
        self.assertEqual(answer["byte_counts"].tolist(), [258, 0])

    @parameterized.parameters(*_PROTOCOLS)
    def test_output_that_is_no_text_stays_bytes(self, protocol):
        answer = self.client(protocol).predict([b"\xff", b"a"], "shout")
        self.assertEqual(answer["shouts"].tolist(), [b"\xff!", b"a!"])

    @parameterized.parameters(*_PROTOCOLS)
    def test_no_inputs_give_no_rows(self, protocol):
        answer = self.client(protocol).predict([])
        self.assertEqual(answer["probabilities"].shape, (0, 3))
        self.assertEqual(answer["probabilities"].dtype, np.float32)
        self.assertEqual(answer["class_names"].shape, (0, 3))
        self.assertEqual(answer["class_names"].dtype.kind, "U")
        no_pixels = self.client(protocol).predict([], "pixels")
        self.assertEqual(no_pixels["probabilities"].shape, (0, 3))
        self.assertEqual(self.service.calls["predict"], 0)

    @parameterized.parameters(*_PROTOCOLS)
    def test_batches_beyond_the_usual_limit_of_grpc_pass(self, protocol):
        # 4 MB is where gRPC stops by itself.
        texts = ["a" * 3_000_000, "b" * 3_000_000]
        answer = self.client(protocol).predict(texts, "shout")
        self.assertEqual(answer["byte_counts"].tolist(), [3_000_000] * 2)

    @parameterized.parameters(*_PROTOCOLS)
    def test_files_are_read(self, protocol):
        images = _images(5)
        folder = pathlib.Path(self.create_tempdir().full_path)
        paths = [folder / f"{index}.img" for index in range(5)]
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(image)
        asked = self.client(protocol, batch_size=2)
        np.testing.assert_array_equal(
            asked.predict_files([str(path) for path in paths])["probabilities"],
            asked.predict(images)["probabilities"],
        )

    @parameterized.parameters(*_PROTOCOLS)
    def test_threads_share_a_client(self, protocol):
        asked = self.client(protocol, batch_size=4)
        texts = [[f"{thread}-{row}" for row in range(9)] for thread in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            answers = list(
                threads.map(lambda one: asked.predict(one, "shout"), texts)
            )
        for given, answer in zip(texts, answers, strict=True):
            expected = [f"{text}!" for text in given]
            self.assertEqual(answer["shouts"].tolist(), expected)
        self.assertEqual(self.service.calls["metadata"], 1)

    @parameterized.parameters(*_PROTOCOLS)
    def test_a_version_may_be_named(self, protocol):
        asked = self.client(protocol, version=3)
        self.assertEqual(
            asked.predict(["a"], "shout")["shouts"].tolist(), ["a!"]
        )


class KnowledgeTest(_WithService):
    @parameterized.parameters(*_PROTOCOLS)
    def test_status_gives_versions_and_states(self, protocol):
        self.assertEqual(
            self.client(protocol).status(),
            {3: served.VersionState("AVAILABLE")},
        )

    @parameterized.parameters(*_PROTOCOLS)
    def test_metadata_gives_signatures(self, protocol):
        found = self.client(protocol).metadata()
        self.assertEqual(
            sorted(found),
            ["add", "count", "embed", "pixels", "serving_default", "shout"],
        )
        self.assertEqual(
            found["pixels"].inputs,
            {"images": served.TensorSpec("uint8", (None, None, None, 3))},
        )
        outputs = found["serving_default"].outputs
        self.assertEqual(
            outputs["probabilities"], served.TensorSpec("float32", (None, 3))
        )
        self.assertEqual(outputs["top_classes"].dtype, "string")

    def test_works_without_keras(self):
        # In a process of its own, where Keras cannot be imported.
        program = (
            "import sys; sys.modules['keras'] = None\n"
            "from tl_keras.serving import client\n"
            "with client.Client(sys.argv[1], 'bears') as asked:\n"
            "    print(asked.predict(['a'], 'shout')['shouts'])\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program, self.service.grpc_address],
            capture_output=True,
            text=True,
        )
        self.assertEqual(ended.stdout, "['a!']\n", ended.stderr)


class FaultyInputsTest(_WithService):
    @parameterized.product(
        protocol=_PROTOCOLS, faulty=((0,), (63,), (5, 6, 40), (31, 32))
    )
    def test_are_named_in_a_batch_of_64(self, protocol, faulty):
        images = _images(64)
        for index in faulty:
            images[index] = images[index][:20]
        with self.assertRaises(client.InvalidInputError) as caught:
            self.client(protocol, batch_size=64).predict(images)
        error = caught.exception
        self.assertEqual(error.indices, faulty)
        self.assertIsNone(error.names)
        self.assertIsInstance(error, ValueError)
        self.assertNotEmpty(error.server_message)
        # The message is one line, whatever the server's is.
        said = " ".join(error.server_message.split())
        self.assertIn(said, str(error))
        self.assertIn(", ".join(map(str, faulty)), str(error))

    def test_one_among_64_takes_few_calls(self):
        images = _images(64)
        images[40] = b"no image"
        with self.assertRaises(client.InvalidInputError):
            self.client("grpc", batch_size=64).predict(images)
        # The batch, a half of what is left six times, and the one alone.
        self.assertLessEqual(self.service.calls["predict"], 1 + 2 * 6)

    @parameterized.parameters(*_PROTOCOLS)
    def test_later_batches_are_not_sent(self, protocol):
        images = _images(9)
        images[4] = images[8] = b"no image"
        with self.assertRaisesRegex(
            client.InvalidInputError, "inputs 3 to 5.*Inputs from 6 on"
        ) as caught:
            self.client(protocol, batch_size=3).predict(images)
        self.assertEqual(caught.exception.indices, (4,))

    @parameterized.parameters(*_PROTOCOLS)
    def test_files_at_fault_are_named(self, protocol):
        folder = pathlib.Path(self.create_tempdir().full_path)
        paths = [folder / f"{index}.jpg" for index in range(5)]
        for path, image in zip(paths, _images(5), strict=True):
            path.write_bytes(image)
        paths[3].write_bytes(b"")
        with self.assertRaisesRegex(
            client.InvalidInputError, r"3 \('.*3\.jpg'\)"
        ) as caught:
            self.client(protocol, batch_size=2).predict_files(paths)
        self.assertEqual(caught.exception.indices, (3,))
        self.assertEqual(caught.exception.names, (str(paths[3]),))

    def test_a_search_ends_where_all_are_at_fault(self):
        with self.assertRaisesRegex(
            client.InvalidInputError, r"\d+ or more of.* and \d+ more"
        ) as caught:
            self.client("grpc", batch_size=200).predict([b"no image"] * 200)
        self.assertLessEqual(self.service.calls["predict"], 65)
        indices = caught.exception.indices
        self.assertNotEmpty(indices)
        self.assertEqual(indices, tuple(range(len(indices))))

    @parameterized.parameters(*_PROTOCOLS)
    def test_no_input_is_blamed_for_a_batch_that_is_too_large(self, protocol):
        self.service.largest_batch = 5
        with self.assertRaisesRegex(
            ValueError, "7 inputs together.*maximum.*lower `batch_size`"
        ) as caught:
            self.client(protocol).predict(_images(7))
        self.assertNotIsInstance(caught.exception, client.InvalidInputError)

    @parameterized.parameters(*_PROTOCOLS)
    def test_are_not_sent_again(self, protocol):
        with self.assertRaises(client.InvalidInputError):
            self.client(protocol, retries=5).predict([b"no image"])
        self.assertEqual(self.service.calls["predict"], 1)

    def test_a_search_that_fails_says_so(self):
        images = _images(4)
        images[0] = b"no image"
        asked = self.client("grpc")
        asked.metadata()
        self.service.planned = ["INVALID_ARGUMENT", "INTERNAL"]
        with self.assertRaisesRegex(
            client.InvalidInputError, "some of.*not told apart"
        ) as caught:
            asked.predict(images)
        self.assertEqual(caught.exception.indices, ())
        self.assertEqual(caught.exception.server_message, "as planned")


class RetriesTest(_WithService):
    @parameterized.product(
        protocol=_PROTOCOLS, code=("UNAVAILABLE", "RESOURCE_EXHAUSTED")
    )
    def test_pass_over_two_failures(self, protocol, code):
        asked = self.client(protocol)
        asked.metadata()
        self.service.planned = [code, code]
        answer = asked.predict(["a"], "shout")
        self.assertEqual(answer["shouts"].tolist(), ["a!"])
        self.assertEqual(self.service.calls["predict"], 3)

    @parameterized.parameters(*_PROTOCOLS)
    def test_are_as_many_as_asked_for(self, protocol):
        asked = self.client(protocol, retries=2)
        self.service.planned = ["UNAVAILABLE"] * 10
        with self.assertRaisesRegex(ConnectionError, "as planned"):
            asked.status()
        self.assertEqual(self.service.calls["status"], 3)

    @parameterized.parameters(*_PROTOCOLS)
    def test_none_follows_another_failure(self, protocol):
        self.service.planned = ["INTERNAL"]
        with self.assertRaisesRegex(RuntimeError, "as planned"):
            self.client(protocol).status()
        self.assertEqual(self.service.calls["status"], 1)

    def test_busy_to_the_end_is_told(self):
        self.service.planned = ["RESOURCE_EXHAUSTED"] * 2
        with self.assertRaisesRegex(RuntimeError, "lower `batch_size`"):
            self.client("rest", retries=1).status()

    @parameterized.parameters(*_PROTOCOLS)
    def test_end_with_the_time(self, protocol):
        self.service.planned = ["UNAVAILABLE"] * 1000
        began = time.monotonic()
        with self.assertRaises(ConnectionError):
            self.client(protocol, retries=1000, timeout_seconds=0.5).status()
        self.assertLess(time.monotonic() - began, 2.0)


class TimeTest(_WithService):
    @parameterized.parameters(*_PROTOCOLS)
    def test_a_late_answer_is_not_waited_for(self, protocol):
        self.service.delay_seconds = 2.0
        began = time.monotonic()
        with self.assertRaisesRegex(TimeoutError, "within 0.3 seconds"):
            self.client(protocol, timeout_seconds=0.3).status()
        self.assertLess(time.monotonic() - began, 1.5)

    def test_an_answer_that_drips_is_not_waited_for(self):
        # Each byte comes well within the time limit, all of them do not.
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        given_up = threading.Event()

        def drip():
            connected, _ = listening.accept()
            with connected:
                connected.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not given_up.wait(0.05):
                    try:
                        connected.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(given_up.set)
        address = "127.0.0.1:{1}".format(*listening.getsockname())
        began = time.monotonic()
        with self.assertRaises(TimeoutError):
            client.Client(
                address, protocol="rest", timeout_seconds=0.3
            ).status()
        self.assertLess(time.monotonic() - began, 1.5)


class MistakesTest(_WithService):
    @parameterized.parameters(*_PROTOCOLS)
    def test_unknown_model(self, protocol):
        address = getattr(self.service, f"{protocol}_address")
        asked = client.Client(address, "wolves", protocol=protocol)
        with asked, self.assertRaisesRegex(ValueError, "model_name='wolves'"):
            asked.predict(["a"])

    @parameterized.parameters(*_PROTOCOLS)
    def test_unknown_version(self, protocol):
        with self.assertRaisesRegex(
            ValueError, r"Got: version 7.*has: \{3: 'AVAILABLE'\}"
        ):
            self.client(protocol, version=7).predict(["a"])

    @parameterized.parameters(*_PROTOCOLS)
    def test_unknown_signature(self, protocol):
        with self.assertRaisesRegex(
            ValueError, "Got: 'pixel'.*Did you mean 'pixels'"
        ):
            self.client(protocol).predict([], "pixel")
        self.assertEqual(self.service.calls["predict"], 0)

    @parameterized.parameters(*_PROTOCOLS)
    def test_no_server(self, protocol):
        address = f"127.0.0.1:{_free_port()}"
        began = time.monotonic()
        with self.assertRaisesRegex(
            ConnectionError, f"No server answers at {address}.*8500.*8501"
        ):
            client.Client(address, protocol=protocol, retries=1).predict(["a"])
        self.assertLess(time.monotonic() - began, 3.0)

    @parameterized.parameters(
        ("grpc", "rest", ConnectionError), ("rest", "grpc", RuntimeError)
    )
    def test_port_of_the_other_protocol(self, protocol, other, error):
        address = getattr(self.service, f"{other}_address")
        asked = client.Client(address, protocol=protocol, retries=0)
        self.addCleanup(asked.close)
        with self.assertRaisesRegex(error, "the port is that of the protocol"):
            asked.status()

    @parameterized.parameters(*_PROTOCOLS)
    def test_a_closed_client(self, protocol):
        with self.client(protocol) as asked:
            asked.metadata()
        with self.assertRaisesRegex(ValueError, "is closed"):
            asked.predict(["a"], "shout")

    @parameterized.parameters(
        ("grpc", "http://localhost:8500"),
        ("grpc", "localhost"),
        ("rest", "ftp://localhost:8501"),
        ("rest", "localhost:port"),
        ("rest", ""),
        ("grpc", "localhost:99999"),
    )
    def test_address_that_is_none(self, protocol, address):
        with self.assertRaisesRegex(ValueError, "`address` is none"):
            client.Client(address, protocol=protocol)

    @parameterized.parameters(
        ({"protocol": "soap"}, ValueError, "'grpc', 'rest'"),
        ({"timeout_seconds": 0}, ValueError, "timeout_seconds"),
        ({"retries": -1}, ValueError, "retries"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"version": "3"}, TypeError, "version"),
        ({"model_name": ""}, ValueError, "model_name"),
    )
    def test_arguments_are_checked(self, options, error, message):
        with self.assertRaisesRegex(error, message):
            client.Client("localhost:8500", **options)

    @parameterized.parameters(
        ("serving_default", "cat.jpg", TypeError, "no list"),
        ("serving_default", ["cat.jpg"], TypeError, "`predict_files`"),
        ("serving_default", [b"a", 3], TypeError, r"inputs\[1\]"),
        ("serving_default", np.array([b"a"]), TypeError, "dtype object"),
        ("pixels", np.zeros((1, 4, 4, 3)), TypeError, "float64.*uint8"),
        ("pixels", np.full((1, 4, 4, 3), 300), TypeError, "without loss"),
        ("pixels", np.zeros((1, 4, 4, 1), "uint8"), ValueError, r"None, 3\)"),
        ("pixels", [[[1], [2, 3]]], ValueError, "one array"),
        ("pixels", 3, ValueError, r"Got shape: \(\)"),
        ("add", [1.0], ValueError, "'left', 'right'"),
        ("count", ["a", "b"], ValueError, "2 rows"),
    )
    def test_inputs_that_do_not_fit(self, signature, inputs, error, message):
        with self.assertRaisesRegex(error, message):
            self.client("grpc").predict(inputs, signature)

    def test_files_that_do_not_fit(self):
        asked = self.client("grpc")
        with self.assertRaisesRegex(FileNotFoundError, "no-such.jpg"):
            asked.predict_files(["no-such.jpg"])
        with self.assertRaisesRegex(TypeError, "one path"):
            asked.predict_files("no-such.jpg")
        with self.assertRaisesRegex(TypeError, "takes no files"):
            asked.predict_files([__file__], "pixels")
        self.assertEqual(self.service.calls["predict"], 0)


class ServiceTest(_WithService):
    """That the service reads what others than the client send."""

    def _post(self, body):
        connection = http.client.HTTPConnection(
            self.service.rest_address, timeout=10
        )
        self.addCleanup(connection.close)
        connection.request("POST", "/v1/models/bears:predict", json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def test_rows_and_columns_say_the_same(self):
        texts = ["ä", {"b64": base64.b64encode(b"bc").decode()}]
        raw = [
            {"b64": base64.b64encode(b).decode()}
            for b in ("ä!".encode(), b"bc!")
        ]
        columns = {
            "shouts": ["ä!", "bc!"],
            "raw_bytes": raw,
            "byte_counts": [2, 2],
        }
        rows = [
            {name: column[row] for name, column in columns.items()}
            for row in range(2)
        ]
        named = [{"texts": text} for text in texts]
        for key, value, answer in (
            ("inputs", texts, {"outputs": columns}),
            ("inputs", {"texts": texts}, {"outputs": columns}),
            ("instances", texts, {"predictions": rows}),
            ("instances", named, {"predictions": rows}),
        ):
            with self.subTest(key=key, value=value):
                self.assertEqual(
                    self._post({"signature_name": "shout", key: value}),
                    (200, answer),
                )

    def test_error_is_json(self):
        status, answer = self._post({"instances": [{"b64": "AAAA"}]})
        self.assertEqual(status, 400)
        self.assertEqual(list(answer), ["error"])


if __name__ == "__main__":
    absltest.main()
