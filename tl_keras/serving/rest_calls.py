"""Calls to TensorFlow Serving over its REST interface."""

import base64
import contextlib
import http.client
import json
import socket
import threading
import urllib.parse

import numpy as np
from google.protobuf import json_format
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_status_pb2

from tl_keras.serving import failures
from tl_keras.serving import served

# How TensorFlow Serving's `ToHTTPStatusCode` puts status codes, backwards:
# https://github.com/tensorflow/serving/blob/master/tensorflow_serving/model_servers/http_server.cc
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_LONGEST_MESSAGE = 500


class RestCalls:
    """One model on one server, over REST; for several threads at once.

    Every method raises a `failures.Failure` where the server does not answer
    well.

    Args:
        address: `"host:port"`, or a URL that begins with http:// or https://.
        model_name: The model's name there.
        version: Which version to ask, or None for the latest.
    """

    def __init__(self, address: str, model_name: str, version: int | None):
        url = address if "://" in address else f"http://{address}"
        self._server = urllib.parse.urlsplit(url)
        path = self._server.path.rstrip("/")
        self._model = f"{path}/v1/models/{urllib.parse.quote(model_name, '')}"
        self._one = self._model
        if version is not None:
            self._one = f"{self._model}/versions/{version}"

    def close(self):
        """Does nothing: no connection outlives its call."""

    def signatures(self, timeout_seconds: float):
        """Signature name to `served.Signature`."""
        answer = self._ask(f"{self._one}/metadata", None, timeout_seconds)
        found = answer["metadata"]["signature_def"]["signature_def"]
        return served.signatures_from(
            {
                name: json_format.ParseDict(
                    entry,
                    meta_graph_pb2.SignatureDef(),
                    ignore_unknown_fields=True,
                )
                for name, entry in found.items()
            }
        )

    def versions(self, timeout_seconds: float):
        """Number of every version to its `served.VersionState`."""
        answer = self._ask(self._model, None, timeout_seconds)
        return served.versions_from(
            json_format.ParseDict(
                answer,
                get_model_status_pb2.GetModelStatusResponse(),
                ignore_unknown_fields=True,
            )
        )

    def predict(
        self, signature_name, signature, rows, timeout_seconds: float
    ) -> dict[str, np.ndarray]:
        """Outputs of a signature of one input.

        Args:
            signature_name: Its name.
            signature: A `served.Signature`.
            rows: A list of bytes, or an array.
            timeout_seconds: How long the answer may take.

        Returns:
            Output name to array; strings are an object array of bytes.
        """
        [input_name] = signature.inputs
        # The format in columns: that in rows wants the batch first in each
        # output.
        body = {
            "signature_name": signature_name,
            "inputs": {input_name: _json_value(rows)},
        }
        answer = self._ask(f"{self._one}:predict", body, timeout_seconds)
        outputs = answer["outputs"]
        if not isinstance(outputs, dict):
            # An only output comes without its name.
            [name] = signature.outputs
            outputs = {name: outputs}
        return {
            name: _array(outputs[name], signature.outputs[name])
            for name in sorted(outputs)
        }

    def _ask(self, path: str, body, timeout_seconds: float):
        """The JSON that the server answers; a POST if there is a body."""
        status, answer = self._exchange(path, body, timeout_seconds)
        # Strings that are no UTF-8 come through, for `_bytes_of`.
        text = answer.decode("utf-8", "surrogateescape")
        if status != 200:
            raise failures.Failure(
                _CODES.get(status, "UNKNOWN"), _error(status, text)
            )
        try:
            return json.loads(text)
        except ValueError as error:
            raise failures.Failure(
                "UNIMPLEMENTED", f"no JSON, {text[:_LONGEST_MESSAGE]!r}"
            ) from error

    def _exchange(self, path, body, timeout_seconds) -> tuple[int, bytes]:
        connection = self._connection(timeout_seconds)
        method = "GET" if body is None else "POST"
        try:
            connection.connect()
            # The socket's own limit is for each part that arrives, and begins
            # anew with the next.
            with _cut_off(connection.sock, timeout_seconds):
                connection.request(
                    method,
                    path,
                    body=None if body is None else json.dumps(body),
                    headers={"Content-Type": "application/json"},
                )
                response = connection.getresponse()
                return response.status, response.read()
        except TimeoutError as error:
            raise failures.Failure("DEADLINE_EXCEEDED", "no answer") from error
        except (OSError, http.client.IncompleteRead) as error:
            raise failures.Failure("UNAVAILABLE", _words(error)) from error
        except http.client.HTTPException as error:
            raise failures.Failure(
                "UNIMPLEMENTED", f"no HTTP, {error!r}"
            ) from error
        finally:
            connection.close()

    def _connection(self, timeout_seconds: float):
        secure = self._server.scheme == "https"
        kind = http.client.HTTPSConnection if secure else None
        kind = kind or http.client.HTTPConnection
        return kind(
            self._server.hostname, self._server.port, timeout=timeout_seconds
        )


@contextlib.contextmanager
def _cut_off(connected, timeout_seconds: float):
    """Shuts a socket after a while, and raises `TimeoutError` if it did."""
    is_late = threading.Event()

    def cut():
        is_late.set()
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if is_late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
    if is_late.is_set():
        raise TimeoutError


def _json_value(rows):
    if isinstance(rows, np.ndarray):
        return rows.tolist()
    return [{"b64": base64.b64encode(row).decode("ascii")} for row in rows]


def _array(value, spec) -> np.ndarray:
    if spec.dtype != "string":
        return np.array(value, spec.numpy_dtype)
    array = np.array(value, object)
    array.flat = [_bytes_of(entry) for entry in array.flat]
    return array


def _bytes_of(entry) -> bytes:
    # Names of outputs that end in "_bytes" make the server use base 64.
    if isinstance(entry, dict):
        return base64.b64decode(entry["b64"])
    return entry.encode("utf-8", "surrogateescape")


def _error(status: int, text: str) -> str:
    """What an error page says; TensorFlow Serving's is JSON."""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}, {text[:_LONGEST_MESSAGE]!r}"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
