"""Calls to TensorFlow Serving over gRPC."""

import contextlib

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tl_keras.serving import failures
from tl_keras.serving import served

_OPTIONS = (
    # A batch of images is soon beyond gRPC's own limit of 4 MB.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Until its own wait is over, gRPC repeats the last failure without a try.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class GrpcCalls:
    """One model on one server, over gRPC; for several threads at once.

    Every method raises a `failures.Failure` where the server does not answer
    well.

    Args:
        address: `"host:port"`.
        model_name: The model's name there.
        version: Which version to ask, or None for the latest.
    """

    def __init__(self, address: str, model_name: str, version: int | None):
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._model_name = model_name
        self._version = version

    def close(self):
        """Ends the connection."""
        self._channel.close()

    def signatures(self, timeout_seconds: float):
        """Signature name to `served.Signature`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._model_spec(), metadata_field=["signature_def"]
        )
        with _failures_told():
            answer = self._predictions.GetModelMetadata(
                request, timeout=timeout_seconds
            )
        signature_map = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signature_map)
        return served.signatures_from(signature_map.signature_def)

    def versions(self, timeout_seconds: float):
        """Number of every version to its `served.VersionState`."""
        request = get_model_status_pb2.GetModelStatusRequest(
            model_spec=model_pb2.ModelSpec(name=self._model_name)
        )
        with _failures_told():
            answer = self._models.GetModelStatus(
                request, timeout=timeout_seconds
            )
        return served.versions_from(answer)

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
        request = predict_pb2.PredictRequest(
            model_spec=self._model_spec(signature_name),
            inputs={input_name: _proto(rows)},
        )
        with _failures_told():
            answer = self._predictions.Predict(request, timeout=timeout_seconds)
        return {
            name: tf.make_ndarray(answer.outputs[name])
            for name in sorted(answer.outputs)
        }

    def _model_spec(self, signature_name: str = ""):
        spec = model_pb2.ModelSpec(
            name=self._model_name, signature_name=signature_name
        )
        if self._version is not None:
            spec.version.value = self._version
        return spec


def _proto(rows):
    if isinstance(rows, np.ndarray):
        return tf.make_tensor_proto(rows)
    proto = tensor_pb2.TensorProto(
        dtype=tf.string.as_datatype_enum, string_val=rows
    )
    proto.tensor_shape.dim.add(size=len(rows))
    return proto


@contextlib.contextmanager
def _failures_told():
    try:
        yield
    except grpc.RpcError as error:
        raise failures.Failure(error.code().name, error.details()) from error
