"""Undoes the shift of a network's activations when its kernels are rounded."""

import functools

import keras
import tensorflow as tf

from tl_keras import graph
from tl_keras.training import training_model

# Of each kind of layer, the kernels and their axes within one output channel.
_KERNELS = {
    keras.layers.Dense: {"kernel": (0,)},
    keras.layers.Conv1D: {"kernel": (0, 1)},
    keras.layers.Conv2D: {"kernel": (0, 1, 2)},
    keras.layers.DepthwiseConv2D: {"kernel": (0, 1)},
    keras.layers.SeparableConv2D: {
        "depthwise_kernel": (0, 1),
        "pointwise_kernel": (0, 1, 2),
    },
}
_LARGEST = 127


def shifts(model, inputs) -> list:
    """How far 8-bit kernels move the mean of each call's output.

    An 8-bit file has 255 values for each output channel of a kernel. What is
    rounded away of the few weights of a channel, nine in a depthwise
    convolution, does not average out: the channel's output is off by much the
    same at every position of every image. That is a bias, and can be taken
    off. In a small MobileNetV2 it is most of what 8 bits cost.

    The network runs twice side by side, as it is and with rounded kernels; in
    graph order each layer's shift is measured and taken off before the next
    layer sees it.

    Args:
        model: A Functional or Sequential `keras.Model` with one input.
        inputs: Array `[examples, ...]` of what the model takes: some dozens
            of examples, as many as fit into one batch.

    Returns:
        For each call of the graph float32 `[channels]`, or None where nothing
        is to be taken off: the layer has no kernel, or an activation of its
        own comes between it and its output.

    Example:
        >>> import numpy as np
        >>> layer = keras.layers.Dense(1, use_bias=False)
        >>> model = keras.Sequential([keras.Input((2,)), layer])
        >>> # One step of the grid is 1.27 / 127; 0.004 is rounded to 0.
        >>> layer.set_weights([np.array([[1.27], [0.004]], "float32")])
        >>> [shift] = shifts(model, np.array([[1.0, 10.0]], "float32"))
        >>> round(float(shift[0]), 3)
        -0.04

    Reference:
        Nagel, van Baalen, Blankevoort and Welling, "Data-Free Quantization
        Through Weight Equalization and Bias Correction", ICCV 2019,
        https://arxiv.org/abs/1906.04721
    """
    whole = graph.flat(model)
    # As a graph, in which TensorFlow frees what no layer needs any more.
    measure = tf.function(functools.partial(_measured, whole))
    measured = iter(measure(graph.as_declared(model, inputs)))
    return [
        next(measured).numpy() if _rounds(one.operation) else None
        for one in whole.calls
    ]


def without(shifts_):
    """A way to call operations, in graph order, that takes the shifts off.

    Args:
        shifts_: What `shifts` gives.

    Returns:
        A function to be the `call` of one run of the model's `graph.flat`.
    """
    remaining = iter(shifts_)

    def call(operation, *args, **kwargs):
        outputs = training_model.infer(operation, *args, **kwargs)
        shift = next(remaining)
        # The converter makes this the bias of the layer.
        return outputs if shift is None else outputs - shift

    return call


def _measured(whole, inputs) -> list:
    found = []

    def call(operation, *args, **kwargs):
        if not _rounds(operation):
            return training_model.infer(operation, *args, **kwargs)
        as_is, rounded = tf.split(args[0], 2)
        as_is = training_model.infer(operation, as_is)
        rounded = _with_rounded_kernels(operation, rounded)
        found.append(
            tf.reduce_mean(
                tf.cast(rounded - as_is, tf.float32),
                axis=list(range(as_is.shape.rank - 1)),
            )
        )
        return tf.concat(
            [as_is, rounded - tf.cast(found[-1], rounded.dtype)], axis=0
        )

    whole.run([tf.concat([one, one], axis=0) for one in inputs], call)
    return found


def _rounds(operation) -> bool:
    return (
        type(operation) in _KERNELS
        and operation.activation is keras.activations.linear
        and getattr(operation, "data_format", None) != "channels_first"
    )


def _with_rounded_kernels(layer, inputs):
    rounded = {
        id(getattr(layer, name)): _rounded(getattr(layer, name), axes)
        for name, axes in _KERNELS[type(layer)].items()
    }
    values = (
        [rounded.get(id(variable), variable.value) for variable in variables]
        for variables in (
            layer.trainable_variables,
            layer.non_trainable_variables,
        )
    )
    outputs, _ = layer.stateless_call(*values, inputs)
    return outputs


def _rounded(kernel, axes):
    """A kernel as an 8-bit file has it: whole multiples of a step a channel."""
    values = kernel.value
    steps = tf.reduce_max(tf.abs(values), axis=axes, keepdims=True) / _LARGEST
    return tf.round(tf.math.divide_no_nan(values, steps)) * steps
