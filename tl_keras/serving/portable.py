"""A classifier as one function of arrays, which other runtimes can take."""

import functools

import keras
import numpy as np
import tensorflow as tf

from tl_keras import cards
from tl_keras import graph
from tl_keras import models
from tl_keras.serving import inputs as inputs_
from tl_keras.serving import signatures

_HALF = ("bfloat16", "float16")


class Portable(tf.Module):
    """What a converter takes: a function, and what it refers to.

    A function refers to its variables weakly, so something has to hold them
    while it is converted.

    Args:
        model: A classifier that `check` accepts.
        image_dtype: The dtype of images; waveforms are float32.
        network: As in `probabilities_of`.

    Attributes:
        input_name: `"images"` or `"waveforms"`.
        function: A `tf.function` from one tensor of that name, raw input with
            a free batch dimension, to a dict of `probabilities`, float32
            `[batch, num_classes]`.
    """

    def __init__(self, model, image_dtype=tf.uint8, network=None):
        super().__init__()
        spec = _spec(model, image_dtype)
        self.input_name = spec.name
        self.function = tf.function(probabilities_of(model, network), [spec])
        self.model_variables = [v.value for v in model.variables]
        self.resources = signatures.resources(model)


def check(model):
    """Raises unless other runtimes than TensorFlow can run a model.

    Args:
        model: What the user gave.

    Raises:
        TypeError: If it is no `keras.Model` with known shapes.
        ValueError: If it is no classifier of images or clips, or takes images
            of no fixed size.
    """
    signatures.check(model)
    if inputs_.kind(model) == "text":
        raise ValueError(
            "The model takes texts, and cutting strings into tokens is no "
            "operation of LiteRT or ONNX: LiteRT runs it by its Flex delegate "
            "only, which is most of TensorFlow again, and ONNX not at all. "
            "Expected a model of images or clips; serve texts from the "
            "SavedModel that `tl_keras.serving.export` writes."
        )
    shape = tuple(model.inputs[0].shape)
    if None in shape[1:]:
        raise ValueError(
            "The model takes input of any size, and other runtimes plan their "
            f"memory for one. Got the input shape: {shape}. Expected None for "
            "the batch only; load the encoder with `image_size=`, or the "
            "clips with `seconds=`."
        )


def in_float32(model):
    """A model that computes in float32: the same, or a copy.

    Other runtimes lack most operations in bfloat16 and float16, in which a
    model with a mixed dtype policy computes; its weights are float32.

    Args:
        model: A classifier that `check` accepts.
    """
    layers = graph.layers_within(model)
    if all(layer.compute_dtype not in _HALF for layer in layers):
        return model

    def copy_of(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.Layer):
            config["dtype"] = "float32"
        return layer.__class__.from_config(config)

    copied = keras.models.clone_model(
        model, clone_function=copy_of, recursive=True
    )
    copied.set_weights(model.get_weights())
    cards.attach(copied, cards.of(model))
    return copied


def probabilities_of(model, network=None):
    """A function from raw inputs to a dict of `probabilities`.

    Args:
        model: A classifier that `check` accepts.
        network: What gives the model's outputs for its inputs; None is the
            model itself, in inference mode.

    Returns:
        A Python function of a tensor of any dtype. Where the model gives
        logits it takes their softmax, in float32.
    """
    are_logits = models.outputs_are_logits(model)
    network = network or functools.partial(model, training=False)

    def probabilities(inputs):
        inputs = tf.cast(inputs, model.inputs[0].dtype)
        outputs = network(inputs)
        # Some models give a list or a dict of one.
        [outputs] = keras.tree.flatten(outputs)
        outputs = tf.cast(outputs, tf.float32)
        outputs = tf.nn.softmax(outputs) if are_logits else outputs
        return {"probabilities": outputs}

    return probabilities


def as_taken(inputs, dtype):
    """Raw inputs in the dtype that a file takes, if that changes no value.

    Args:
        inputs: NumPy array.
        dtype: NumPy's name of the file's dtype.

    Raises:
        ValueError: If it would: the file takes uint8, and a pixel is no whole
            number in 0..255.

    Example:
        >>> as_taken(np.array([0.0, 255.0]), "uint8").tolist()
        [0, 255]
    """
    inputs = np.asarray(inputs)
    if dtype == np.uint8 and inputs.dtype != np.uint8:
        if not ((inputs >= 0) & (inputs <= 255) & (inputs % 1 == 0)).all():
            raise ValueError(
                "The file takes pixels as uint8. Got: "
                f"{inputs.dtype} from {inputs.min():.4g} to {inputs.max():.4g}"
                ", with others than the whole numbers 0..255. Round them "
                "first: `data.map(lambda images, labels: "
                "(tf.cast(tf.round(images), tf.uint8), labels))`."
            )
    return inputs.astype(dtype, copy=False)


def _spec(model, image_dtype):
    shape = [None, *model.inputs[0].shape[1:]]
    if inputs_.kind(model) == "image":
        return tf.TensorSpec(shape, image_dtype, "images")
    return tf.TensorSpec(shape, tf.float32, "waveforms")
