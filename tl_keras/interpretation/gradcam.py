"""Grad-CAM: which places of a feature map speak for a class."""

import tensorflow as tf

from tl_keras import graph
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import images as images_
from tl_keras.interpretation import spatial


def grad_cam(model, images, *, classes=None, layer: str | None = None):
    """Which parts of images speak for a class, at a feature map.

    With the feature map A of a layer, and the logit y of the class:

        weight_k = mean over all places of dy / dA[place, k]
        map[place] = max(0, sum_k weight_k * A[place, k])

    resized to the image, bilinear. It costs one pass forwards and part of
    one backwards, and is as coarse as the layer is: 7 x 7 places at the end of
    most Applications at 224 px.

    Args:
        model: A Functional `keras.Model` from images to logits or
            probabilities, its layers nested or not; or the `ClassScores` of
            one.
        images: `[examples, height, width, channels]` as the model takes them,
            e.g. 0..255.
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        layer: Name of the layer, nested ones included. None: the last one
            with more than one place; in a vision transformer, the last tokens.

    Returns:
        float32 `[examples, height, width]`, at least 0.

    Raises:
        TypeError: If `model` is no `keras.Model` with a graph.
        ValueError: If images or classes do not fit, or there is no such layer
            or none at all, as in a model around a TF Hub module.

    Example:
        >>> import numpy as np
        >>> import tl_keras
        >>> encoder = tl_keras.encoders.load("tiny")
        >>> head = tl_keras.heads.Classifier(num_classes=3)
        >>> model = tl_keras.build(encoder, head)
        >>> grad_cam(model, np.zeros((2, 32, 32, 3))).shape
        (2, 32, 32)

    Reference:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks
        via Gradient-based Localization", ICCV 2017,
        https://arxiv.org/abs/1610.02391
    """
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    place = spatial.find(scores.graph, layer)
    classes = scores.chosen(images, classes)
    return scores.in_batches(
        ("grad_cam", place.name), _maps(scores, place), images, classes
    )


def can_explain(model) -> bool:
    """Whether `grad_cam` finds a layer in a model.

    Example:
        >>> import keras
        >>> flat = [keras.Input((4, 4, 3)), keras.layers.Flatten()]
        >>> can_explain(keras.Sequential([*flat, keras.layers.Dense(2)]))
        False
    """
    if not graph.is_functional(graph.opened(model)):
        return False
    is_image = len(model.inputs) == 1 and len(model.inputs[0].shape) == 4
    return is_image and bool(spatial.places(graph.flat(model)))


def _maps(scores, place):
    def maps_of(images, classes):
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watched(tensor):
                tape.watch(tensor)
                return tensor

            logits, features = scores.logits_through(
                images, place.value, watched
            )
            chosen = class_scores.picked(logits, classes)
        slopes = _as_grid(tape.gradient(chosen, features), place)
        features = _as_grid(features, place)
        weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
        maps = tf.nn.relu(tf.reduce_sum(weights * features, -1, keepdims=True))
        return tf.image.resize(maps, tf.shape(images)[1:3])[..., 0]

    return maps_of


def _as_grid(tensor, place):
    """`[batch, height, width, channels]` in float32, of a map or of tokens."""
    tensor = tf.cast(tensor, tf.float32)
    if tensor.shape.rank == 4:
        return tensor
    tokens = tensor[:, place.extra :]
    return tf.reshape(tokens, [-1, place.height, place.width, tensor.shape[-1]])
