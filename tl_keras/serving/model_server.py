"""A real TensorFlow Serving on this machine, asked once."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

PROGRAM = "tensorflow_model_server"
_NAME = "model"
_START_SECONDS = 120.0
_ANSWER_SECONDS = 60.0


def answers(requests, version: pathlib.Path) -> list[dict]:
    """What the server answers to golden requests.

    Args:
        requests: `golden.Request`s.
        version: The folder of the version.

    Returns:
        For each request, output name to array.

    Raises:
        RuntimeError: If the server does not start, or refuses a request.
    """
    with _running(version) as stub:
        return [_answer(stub, request) for request in requests]


@contextlib.contextmanager
def _running(version):
    """A stub of a server that is stopped in the end."""
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder) / _NAME
        base.mkdir()
        (base / "1").symlink_to(version.resolve(), target_is_directory=True)
        log = pathlib.Path(folder) / "log.txt"
        port = _free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    shutil.which(PROGRAM),
                    f"--port={port}",
                    f"--model_name={_NAME}",
                    f"--model_base_path={base}",
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            with grpc.insecure_channel(f"localhost:{port}") as channel:
                stub = prediction_service_pb2_grpc.PredictionServiceStub(
                    channel
                )
                yield _Waiting(stub, process, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class _Waiting:
    """A stub that waits, on its first call, until the model is loaded."""

    def __init__(self, stub, process, log):
        self._stub = stub
        self._process = process
        self._log = log
        self._deadline = time.monotonic() + _START_SECONDS

    def predict(self, request):
        while True:
            try:
                return self._stub.Predict(request, timeout=_ANSWER_SECONDS)
            except grpc.RpcError as error:
                # Until the model is there, its name is not found.
                starting = error.code() in (
                    grpc.StatusCode.UNAVAILABLE,
                    grpc.StatusCode.NOT_FOUND,
                )
                ended = self._process.poll() is not None
                if ended or not starting or time.monotonic() > self._deadline:
                    said = self._log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(
                        f"{PROGRAM} did not answer: {error.code().name}: "
                        f"{error.details()}. Its last words:\n{said}"
                    ) from error
            time.sleep(0.2)


def _answer(stub, request) -> dict:
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = _NAME
    asked.model_spec.signature_name = request.signature
    for name, array in request.inputs.items():
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    answered = stub.predict(asked).outputs
    return {name: tf.make_ndarray(answered[name]) for name in request.outputs}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        return taken.getsockname()[1]
