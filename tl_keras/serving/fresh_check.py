"""Answers requests where there is neither Keras nor tl_keras.

    python fresh_check.py VERSION_FOLDER REQUESTS_FOLDER

A program of its own, which needs TensorFlow only. It looks for operations
that a stock TensorFlow Serving lacks, loads the SavedModel, answers the
requests (see exchange.py), replays the warmup records, and prints what it
found as one line of JSON.
"""

import json
import pathlib
import sys

# TensorFlow imports Keras on its own where it finds it.
for name in ("keras", "tf_keras", "tl_keras"):
    sys.modules[name] = None

import tensorflow as tf  # noqa: E402
from tensorflow.core.framework import tensor_pb2  # noqa: E402
from tensorflow.core.protobuf import saved_model_pb2  # noqa: E402
from tensorflow.python.framework import op_def_registry  # noqa: E402
from tensorflow_serving.apis import prediction_log_pb2  # noqa: E402

# Known to TensorFlow, and bound to the Python process that made them.
_PYTHON_OPERATIONS = ("PyFunc", "PyFuncStateless", "EagerPyFunc")


def main(version, requests):
    version, requests = pathlib.Path(version), pathlib.Path(requests)
    found = {"foreign_operations": foreign_operations(version)}
    if not found["foreign_operations"]:
        signatures = tf.saved_model.load(str(version)).signatures
        answer(requests, signatures)
        found["warmup_records"] = replay(version, signatures)
    print(json.dumps(found))


def foreign_operations(version) -> dict:
    """Of operations that a server lacks: each to the name of one node."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((version / "saved_model.pb").read_bytes())
    foreign = {}
    for meta_graph in saved.meta_graphs:
        graph = meta_graph.graph_def
        functions = {f.signature.name for f in graph.library.function}
        bodies = [graph.node, *(f.node_def for f in graph.library.function)]
        for node in (node for body in bodies for node in body):
            is_known = (
                node.op in functions or op_def_registry.get(node.op) is not None
            )
            if not is_known or node.op in _PYTHON_OPERATIONS:
                foreign.setdefault(node.op, node.name)
    return foreign


def answer(folder, signatures):
    """Answers the requests of a folder, in it."""
    lines = (folder / "requests.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        signature, *fields = line.split("\t")
        files = {"<": {}, ">": {}}
        for field in fields:
            name, file = field[1:].split("=")
            files[field[0]][name] = folder / file
        inputs = {
            name: tensor(tensor_pb2.TensorProto.FromString(file.read_bytes()))
            for name, file in files[">"].items()
        }
        outputs = signatures[signature](**inputs)
        for name, file in files["<"].items():
            proto = tf.make_tensor_proto(outputs[name].numpy())
            file.write_bytes(proto.SerializeToString())


def replay(version, signatures) -> int:
    """Runs the warmup records; gives their number."""
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    number = 0
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.HasField("classify_log"):
            request = log.classify_log.request
            examples = request.input.example_list.examples
            serialized = [example.SerializeToString() for example in examples]
            inputs = {"inputs": tf.constant(serialized)}
        else:
            request = log.predict_log.request
            inputs = {name: tensor(p) for name, p in request.inputs.items()}
        signatures[request.model_spec.signature_name](**inputs)
        number += 1
    return number


def tensor(proto):
    return tf.constant(tf.make_ndarray(proto))


if __name__ == "__main__":
    main(*sys.argv[1:])
