"""Records that TensorFlow Serving replays when it loads a model."""

import pathlib

import tensorflow as tf
from tensorflow_serving.apis import classification_pb2
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_log_pb2

from tl_keras.serving import signatures

# The name is the server's.
FILE = "tf_serving_warmup_requests"


def write(requests, model_name: str, folder: pathlib.Path):
    """Writes one record for each request.

    Args:
        requests: The `golden.Request`s, one a signature.
        model_name: Under which the model is served.
        folder: Where the file is made, the version's `assets.extra`.

    Reference:
        https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    with tf.io.TFRecordWriter(str(folder / FILE)) as writer:
        for request in requests:
            spec = model_pb2.ModelSpec(
                name=model_name, signature_name=request.signature
            )
            log = _log(spec, request.inputs)
            writer.write(log.SerializeToString())


def _log(spec, inputs):
    if spec.signature_name == signatures.CLASSIFY:
        [serialized] = inputs.values()
        request = classification_pb2.ClassificationRequest(model_spec=spec)
        for example in serialized:
            request.input.example_list.examples.add().ParseFromString(example)
        return prediction_log_pb2.PredictionLog(
            classify_log=prediction_log_pb2.ClassifyLog(request=request)
        )
    request = predict_pb2.PredictRequest(
        model_spec=spec,
        inputs={name: tf.make_tensor_proto(a) for name, a in inputs.items()},
    )
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
