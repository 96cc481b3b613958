"""A folder by which another program is asked, and in which it answers.

`requests.txt` has a line for each request: the signature, then `>NAME=FILE`
for each input and `<NAME=FILE` for each output, separated by tabs. Each file
holds a serialized `TensorProto`; the program writes those of the outputs.
"""

import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

_LIST = "requests.txt"


def ask(requests, folder: pathlib.Path):
    """Writes golden requests, without their answers."""
    lines = []
    for number, request in enumerate(requests):
        fields = [request.signature]
        for name, array in request.inputs.items():
            file = f"{number}_in_{name}"
            proto = tf.make_tensor_proto(array)
            (folder / file).write_bytes(proto.SerializeToString())
            fields.append(f">{name}={file}")
        fields += [f"<{name}={number}_out_{name}" for name in request.outputs]
        lines.append("\t".join(fields) + "\n")
    (folder / _LIST).write_text("".join(lines), encoding="utf-8")


def answers(requests, folder: pathlib.Path) -> list[dict[str, np.ndarray]]:
    """What was answered: for each request, output name to array."""
    return [
        {
            name: _array(folder / f"{number}_out_{name}")
            for name in request.outputs
        }
        for number, request in enumerate(requests)
    ]


def _array(path):
    proto = tensor_pb2.TensorProto.FromString(path.read_bytes())
    return tf.make_ndarray(proto)
