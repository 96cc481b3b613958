"""A small TensorFlow Serving: its protocols over a SavedModel in Python.

It answers as TensorFlow Serving does, as far as the client's tests need it:
`PredictionService.Predict` and `GetModelMetadata`, `ModelService`'s
`GetModelStatus`, and the same three over REST. It is no test of the server.
"""

import base64
import collections
import concurrent.futures
import http.server
import json
import pathlib
import re
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

_HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_PATH = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+))?(:predict|/metadata)?"
)


class Refusal(Exception):
    """A status code other than OK, and its message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Service:
    """Serves one version of one model, over both protocols.

    Args:
        path: Folder of a SavedModel, named by its version.
        name: The model's name.
        grpc_port: Where it listens; 0 for any that is free.

    Attributes:
        grpc_address: Its `"host:port"` for gRPC.
        rest_address: The same for REST.
        calls: How often each method was called, those that failed included.
        batch_sizes: The sizes of the batches that came.
        planned: Codes with which the next calls fail, in order.
        delay_seconds: How long each answer takes.
        largest_batch: Beyond it a batch is refused as a whole.
    """

    def __init__(self, path, name="model", grpc_port=0):
        path = pathlib.Path(path)
        self._loaded = tf.saved_model.load(str(path))
        message = saved_model_pb2.SavedModel.FromString(
            (path / "saved_model.pb").read_bytes()
        )
        self._signature_defs = message.meta_graphs[0].signature_def
        self._name, self._version = name, int(path.name)
        self.reset()
        self._grpc = _grpc_server(self)
        port = self._grpc.add_insecure_port(f"127.0.0.1:{grpc_port}")
        self.grpc_address = f"127.0.0.1:{port}"
        self._grpc.start()
        self._http = _http_server(self)
        self.rest_address = "127.0.0.1:{1}".format(*self._http.server_address)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}
        )
        self._thread.start()

    def reset(self):
        """Forgets calls and plans."""
        self.calls = collections.Counter()
        self.batch_sizes = []
        self.planned = []
        self.delay_seconds = 0.0
        self.largest_batch = None

    def close(self):
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def predict(self, name, version, signature_name, inputs):
        """Outputs of a signature, name to array."""
        self._begin("predict", name, version)
        signature_name = signature_name or "serving_default"
        if signature_name not in self._loaded.signatures:
            raise Refusal(
                "FAILED_PRECONDITION",
                f'Serving signature name: "{signature_name}" not found in '
                "signature def",
            )
        [size] = {len(value) for value in inputs.values()}
        self.batch_sizes.append(size)
        if self.largest_batch is not None and size > self.largest_batch:
            raise Refusal(
                "INVALID_ARGUMENT",
                f"Task size {size} is larger than maximum input batch size "
                f"{self.largest_batch}",
            )
        function = self._loaded.signatures[signature_name]
        try:
            outputs = function(**inputs)
        except tf.errors.OpError as error:
            raise Refusal(_code_of(error), error.message) from error
        return {key: value.numpy() for key, value in outputs.items()}

    def signature_defs(self, name, version):
        self._begin("metadata", name, version)
        return self._signature_defs

    def status(self, name):
        """A `GetModelStatusResponse`."""
        self._begin("status", name, None)
        answer = get_model_status_pb2.GetModelStatusResponse()
        answer.model_version_status.add(
            version=self._version,
            state=get_model_status_pb2.ModelVersionStatus.AVAILABLE,
        )
        return answer

    def input_dtype(self, signature_name, name):
        info = self._signature_defs[signature_name].inputs[name]
        return tf.dtypes.as_dtype(info.dtype)

    def input_names(self, signature_name):
        return list(self._signature_defs[signature_name].inputs)

    def _begin(self, method, name, version):
        self.calls[method] += 1
        time.sleep(self.delay_seconds)
        if self.planned:
            code = self.planned.pop(0)
            raise Refusal(code, "as planned")
        if name != self._name or version not in (None, self._version):
            wanted = "Latest" if version is None else "Specific"
            raise Refusal(
                "NOT_FOUND",
                f"Servable not found for request: {wanted}({name})",
            )


def _code_of(error) -> str:
    [code] = [
        code.name
        for code in grpc.StatusCode
        if code.value[0] == error.error_code
    ]
    return code


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, service):
        self._service = service

    def Predict(self, request, context):
        spec = request.model_spec
        inputs = {
            name: tf.constant(tf.make_ndarray(proto))
            for name, proto in request.inputs.items()
        }
        outputs = _told(
            context,
            self._service.predict,
            spec.name,
            _version_of(spec),
            spec.signature_name,
            inputs,
        )
        protos = {
            name: tf.make_tensor_proto(value) for name, value in outputs.items()
        }
        return predict_pb2.PredictResponse(outputs=protos)

    def GetModelMetadata(self, request, context):
        spec = request.model_spec
        found = _told(
            context, self._service.signature_defs, spec.name, _version_of(spec)
        )
        message = get_model_metadata_pb2.SignatureDefMap(signature_def=found)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.metadata["signature_def"].Pack(message)
        return answer


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, service):
        self._service = service

    def GetModelStatus(self, request, context):
        return _told(context, self._service.status, request.model_spec.name)


def _version_of(spec):
    return spec.version.value if spec.HasField("version") else None


def _told(context, function, *arguments):
    try:
        return function(*arguments)
    except Refusal as refusal:
        context.abort(grpc.StatusCode[refusal.code], str(refusal))


def _grpc_server(service):
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(4),
        options=(
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
        ),
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Predictions(service), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        _Models(service), server
    )
    return server


def _http_server(service):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer(_get, service, self.path)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(_post, service, self.path, body)

        def _answer(self, function, *arguments):
            try:
                status, body = 200, function(*arguments)
            except Refusal as refusal:
                status = _HTTP_STATUS.get(refusal.code, 400)
                body = {"error": str(refusal)}
            # Strings that are no UTF-8 go out as they are.
            text = json.dumps(body, ensure_ascii=False)
            text = text.encode("utf-8", "surrogateescape")
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            try:
                self.wfile.write(text)
            except OSError:
                pass  # A client that has given up.

        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        # Beyond it a connection waits a second for its next try.
        request_queue_size = 64

    return Server(("127.0.0.1", 0), Handler)


def _get(service, path):
    name, version, what = _parts(path)
    if what is None:
        return json_format.MessageToDict(
            service.status(name), preserving_proto_field_name=True
        )
    message = get_model_metadata_pb2.SignatureDefMap(
        signature_def=service.signature_defs(name, version)
    )
    return {
        "model_spec": {"name": name, "signature_name": "", "version": "1"},
        "metadata": {
            "signature_def": json_format.MessageToDict(
                message, preserving_proto_field_name=True
            )
        },
    }


def _post(service, path, body):
    name, version, _ = _parts(path)
    request = json.loads(body)
    signature_name = request.get("signature_name", "serving_default")
    in_rows = "instances" in request
    inputs = _inputs(service, signature_name, request, in_rows)
    outputs = service.predict(name, version, signature_name, inputs)
    values = {key: _json_of(key, value) for key, value in outputs.items()}
    if not in_rows:
        [*names] = values
        return {"outputs": values if len(names) > 1 else values[names[0]]}
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    rows = zip(*values.values(), strict=True)
    return {
        "predictions": [dict(zip(values, row, strict=True)) for row in rows]
    }


def _parts(path):
    match = _PATH.fullmatch(path)
    if match is None:
        raise Refusal("INVALID_ARGUMENT", f"Malformed request: {path}")
    name, version, what = match.groups()
    return name, version and int(version), what


def _inputs(service, signature_name, request, in_rows):
    given = request["instances" if in_rows else "inputs"]
    names = service.input_names(signature_name)
    if in_rows and _is_named(given[0]):
        given = {name: [row[name] for row in given] for name in names}
    elif not _is_named(given):
        given = dict.fromkeys(names, given)
    return {
        name: tf.constant(
            _decoded(value), service.input_dtype(signature_name, name)
        )
        for name, value in given.items()
    }


def _is_named(value) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value


def _json_of(name, value):
    if value.dtype != object:
        return value.tolist()
    if name.endswith("_bytes"):
        encode = np.vectorize(
            lambda one: {"b64": base64.b64encode(one).decode()}, otypes="O"
        )
        return encode(value).tolist()
    decode = np.vectorize(
        lambda one: one.decode("utf-8", "surrogateescape"), otypes="O"
    )
    return decode(value).tolist()
