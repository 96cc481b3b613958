"""What a model is asked before it may be served, and has to answer."""

import keras
import numpy as np
import tensorflow as tf

from tl_keras import models
from tl_keras.serving import golden
from tl_keras.serving import samples
from tl_keras.serving import signatures

# Closer ones may change places by rounding.
_CLEAR_GAP = 1e-3


def make(model, class_names, inputs, *, classify: bool) -> list[golden.Request]:
    """One request for each signature, answered by the Keras model.

    Args:
        model: The model that is served.
        class_names: Names of its classes.
        inputs: Its `Inputs`.
        classify: Whether it answers Classify requests.

    Returns:
        The requests; `serving_default` is the first.
    """
    taken, decode = inputs.first
    if inputs.decode is None:
        given = samples.raw(model, inputs)
    else:
        given = np.array(samples.encoded(model, inputs), object)
    # In fresh processes the model runs on the CPU, where a product of
    # matrices has other digits than on a GPU.
    with tf.device("CPU:0"):
        network = signatures.with_features(model)
        decoded = decode(tf.constant(given))
        outputs, *features = _run(network, decoded)
        are_logits = models.outputs_are_logits(model)
        answers = _answers(outputs, are_logits, class_names)
        requests = [
            golden.Request(signatures.SERVE, {taken.name: given}, answers)
        ]
        if inputs.raw is not None:
            raw = samples.raw(model, inputs)
            outputs, *_ = _run(network, inputs.prepare(tf.constant(raw)))
            requests.append(
                golden.Request(
                    inputs.raw_name,
                    {inputs.raw.name: raw},
                    _answers(outputs, are_logits, class_names),
                )
            )
        if features:
            requests.append(
                golden.Request(
                    signatures.EMBED,
                    {taken.name: given},
                    {"features": features[0]},
                )
            )
    if classify:
        requests.append(_classify(inputs, given, answers))
    return requests


def _run(network, decoded) -> list[np.ndarray]:
    outputs = keras.tree.flatten(network(decoded, training=False))
    return [np.asarray(tf.cast(one, tf.float32)) for one in outputs]


def _classify(inputs, given, answers):
    feature = tf.train.Feature
    serialized = [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    inputs.feature: feature(
                        bytes_list=tf.train.BytesList(value=[one])
                    )
                }
            )
        ).SerializeToString()
        for one in given
    ]
    return golden.Request(
        signatures.CLASSIFY,
        {"inputs": np.array(serialized, object)},
        {
            "classes": answers["class_names"],
            "scores": answers["probabilities"],
        },
    )


def _answers(outputs, are_logits, class_names) -> dict:
    probabilities = _softmax(outputs) if are_logits else outputs
    names = np.array([name.encode() for name in class_names], object)
    answers = {
        "probabilities": probabilities,
        "class_names": np.tile(names, (len(probabilities), 1)),
    }
    order = np.argsort(-probabilities, axis=1)[
        :, : signatures.MOST_TOP_CLASSES + 1
    ]
    sorted_ = np.take_along_axis(probabilities, order, axis=1)
    if (-np.diff(sorted_, axis=1) > _CLEAR_GAP).all():
        top = order[:, : signatures.MOST_TOP_CLASSES]
        answers["top_classes"] = names[top]
    return answers


def _softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
