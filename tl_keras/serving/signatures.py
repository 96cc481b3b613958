"""What a served model takes and gives, for each kind of input."""

import keras
import tensorflow as tf

from tl_keras import cards
from tl_keras import graph
from tl_keras import models
from tl_keras.data import audio
from tl_keras.data import images as data_images


def serving_function(model, class_names, keep_aspect_ratio: bool):
    """The function behind the signature `serving_default`.

    Args:
        model: A classifier that `check` accepts.
        class_names: Names of its classes.
        keep_aspect_ratio: How images were resized in training.

    Returns:
        A `tf.function` from one tensor, `images`, `texts` or `waveforms`, to
        a dict of `probabilities` and `class_names`.
    """
    are_logits = models.outputs_are_logits(model)
    spec, prepare = _BY_KIND[kind(model)](model, keep_aspect_ratio)

    def serve(inputs):
        outputs = model(prepare(inputs), training=False)
        # Some models give a list or a dict of one.
        [outputs] = keras.tree.flatten(outputs)
        outputs = tf.cast(outputs, tf.float32)
        probabilities = tf.nn.softmax(outputs) if are_logits else outputs
        names = tf.tile([class_names], [tf.shape(probabilities)[0], 1])
        return {"probabilities": probabilities, "class_names": names}

    return tf.function(serve, [spec])


def resources(model) -> list:
    """The tables and files that a model's layers need, beside variables.

    Args:
        model: A `keras.Model`. A layer may list them in an attribute
            `resources`; of others, what TensorFlow tracks is found.
    """
    found = [
        one
        for layer in graph.layers_within(model)
        for one in getattr(layer, "resources", None) or _tracked_by(layer)
    ]
    return list({id(one): one for one in found}.values())


def _tracked_by(layer) -> list:
    kinds = (
        tf.saved_model.experimental.TrackableResource,
        tf.saved_model.Asset,
    )
    tracked = tf.train.TrackableView(layer).descendants()
    return [one for one in tracked if isinstance(one, kinds)]


def check(model):
    """Raises unless a model can be served.

    Args:
        model: What the user gave.

    Raises:
        TypeError: If it is no `keras.Model` with known shapes.
        ValueError: If it is no classifier of images, texts or clips.
    """
    if not getattr(model, "inputs", None) or not getattr(
        model, "outputs", None
    ):
        raise TypeError(
            "`model` has no inputs and outputs of known shape. Got: "
            f"{type(model).__name__}. Expected a built Functional or "
            "Sequential `keras.Model`, such as `tl_keras.build` returns."
        )
    inputs, outputs = (
        [tuple(tensor.shape) for tensor in tensors]
        for tensors in (model.inputs, model.outputs)
    )
    is_classifier = len(outputs) == 1 and len(outputs[0]) == 2 and outputs[0][1]
    if len(inputs) != 1 or not is_classifier or kind(model) is None:
        raise ValueError(
            "The model is no classifier of images, texts or clips. Got inputs "
            f"of shape {inputs} and outputs of shape {outputs}. Expected one "
            "input, (batch, height, width, channels) or strings (batch,), or "
            "waveforms of a model from `tl_keras.build`; and one output "
            "(batch, num_classes)."
        )
    if outputs[0][1] < 2:
        raise ValueError(
            "The model has 1 output. Expected one per class, so at least 2; "
            "a yes-or-no question has two classes."
        )


def kind(model) -> str | None:
    """What a model takes: by its card, else by its input.

    Args:
        model: A `keras.Model` with one input.

    Returns:
        "image", "text" or "audio", or None where its input does not tell.
    """
    card = cards.of(model)
    if card is not None:
        return card.input_spec.kind
    [taken] = model.inputs
    if taken.dtype == "string" and len(taken.shape) == 1:
        return "text"
    return "image" if len(taken.shape) == 4 else None


def _of_images(model, keep_aspect_ratio):
    height, width, channels = model.inputs[0].shape[1:]
    resized = height is not None and height == width

    def prepare(images):
        if resized:
            images = data_images.resize(images, height, keep_aspect_ratio)
        return tf.cast(images, model.inputs[0].dtype)

    free = [None, None, None, channels]
    shape = free if resized else [None, height, width, channels]
    return tf.TensorSpec(shape, tf.uint8, "images"), prepare


def _of_texts(model, keep_aspect_ratio):
    return tf.TensorSpec([None], tf.string, "texts"), lambda texts: texts


def _of_clips(model, keep_aspect_ratio):
    num_samples, *channels = model.inputs[0].shape[1:]

    def prepare(waveforms):
        if num_samples is None:
            return waveforms
        if channels:
            return audio.set_length(waveforms, num_samples)
        return audio.set_length(waveforms[..., None], num_samples)[..., 0]

    spec = tf.TensorSpec([None, None, *channels], tf.float32, "waveforms")
    return spec, prepare


_BY_KIND = {"image": _of_images, "text": _of_texts, "audio": _of_clips}
