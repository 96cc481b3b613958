"""A function's graph in a form of which tf2onnx 1.17 knows every operation."""

import numpy as np
import tensorflow as tf

# Not among TensorFlow's public names; converters all use it from here.
from tensorflow.python.framework import convert_to_constants

# Set on a function that Keras has compiled by XLA, such as its convolution in
# groups. TensorFlow does not inline such a function, and ONNX has no calls.
_COMPILED = "_XlaMustCompile"


def plain(whole) -> tf.function:
    """The function of a `portable.Portable` with constants, and nothing else.

    tf2onnx takes every tensor that a function captures for an input of the
    model (the mean of a Normalization layer, for one), and leaves calls of
    functions that are compiled by XLA as they are. Here variables and
    captured tensors are constants, and every function can be inlined.

    Args:
        whole: A `portable.Portable`.

    Returns:
        A `tf.function` with the same signature.
    """
    function = whole.function.get_concrete_function()
    frozen = convert_to_constants.convert_variables_to_constants_v2(function)
    definition = frozen.graph.as_graph_def()
    for function in definition.library.function:
        _clear(function.attr)
        for node in function.node_def:
            _clear(node.attr)
    for node in definition.node:
        _clear(node.attr)
    [taken], [given] = frozen.inputs, frozen.outputs

    def run(inputs):
        [probabilities] = tf.import_graph_def(
            definition, {taken.name: inputs}, [given.name], name=""
        )
        return {"probabilities": probabilities}

    return tf.function(run, whole.function.input_signature)


def erfc(context, node, name, arguments):
    """Writes `Erfc`, which ONNX lacks, as `1 - Erf`.

    TensorFlow's GELU has it. The arguments are those of a handler of tf2onnx.
    """
    [given] = node.output
    node.type, node.domain = "Erf", ""
    one = context.make_const(f"{name}_one", np.float32(1))
    difference = context.make_node(
        "Sub",
        [one.output[0], given],
        shapes=[context.get_shape(given)],
        dtypes=[context.get_dtype(given)],
    )
    readers = [n for n in context.get_nodes() if n is not difference]
    context.replace_all_inputs(given, difference.output[0], ops=readers)


HANDLERS = {"Erfc": (erfc, [])}


def _clear(attributes):
    if _COMPILED in attributes:
        del attributes[_COMPILED]
