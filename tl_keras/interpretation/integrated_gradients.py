"""Integrated gradients: how much each pixel adds to a class's logit."""

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import images as images_


def integrated_gradients(
    model, images, *, classes=None, baseline=0.0, steps: int = 50
):
    """How much each value of images adds to the logit of a class.

    The slope of the logit y, averaged along the straight line from a baseline
    b to the image x:

        map = (x - b) * integral over t in 0..1 of dy/dx at b + t (x - b)

    The parts sum to y(x) - y(b): `completeness_gap` says how nearly. It needs
    the gradient at the input only, so any model that can be differentiated
    will do, a TF Hub module too. It is fine and noisy.

    Args:
        model: A `keras.Model` from images to logits or probabilities, or the
            `ClassScores` of one.
        images: `[examples, height, width, channels]` as the model takes them,
            e.g. 0..255.
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        baseline: The image that says nothing: a number, a value a channel, or
            an array like one image; 0 is black. Where x equals b, nothing is
            seen, however much it matters.
        steps: Places on the line, at least 1 (Gauss-Legendre).

    Returns:
        float32 `[examples, height, width, channels]`, of both signs.

    Raises:
        ValueError: If images, classes or the baseline do not fit, or the
            model has no gradient at its input.

    Example:
        >>> import keras
        >>> layers = [keras.Input((1, 2, 1)), keras.layers.Flatten()]
        >>> model = keras.Sequential([*layers, keras.layers.Dense(2)])
        >>> model.set_weights([np.array([[1.0, 0], [3, 0]]), np.zeros(2)])
        >>> maps = integrated_gradients(
        ...     model, np.array([[[[5.0], [2]]]]), classes=0
        ... )
        >>> maps[0, 0, :, 0].round(4).tolist()
        [5.0, 6.0]

    Reference:
        Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks",
        ICML 2017, https://arxiv.org/abs/1703.01365
    """
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    checks.integer(steps, name="steps", low=1)
    baseline = _baseline(images, baseline)
    classes = scores.chosen(images, classes)
    places, weights = np.polynomial.legendre.leggauss(steps)
    places, weights = (places + 1) / 2, weights / 2
    maps = np.zeros_like(images)
    for index, image in enumerate(images):
        way = image - baseline
        points = [baseline + place * way for place in places]
        gradients = scores.in_batches(
            "slopes",
            _slopes(scores),
            np.stack(points),
            np.full(steps, classes[index]),
        )
        maps[index] = way * np.tensordot(weights, gradients, 1)
    return maps


def completeness_gap(model, images, maps, *, classes=None, baseline=0.0):
    """By how much maps miss the sum that they should have, as a share.

    Args:
        model: The `keras.Model`.
        images: What was explained.
        maps: From `integrated_gradients`, with the same further arguments.
        classes: As there.
        baseline: As there.

    Returns:
        float64 `[examples]`: `|sum(map) - (y(x) - y(b))|` over the larger of
        `|y(x) - y(b)|` and 1e-6.
    """
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    classes = scores.chosen(images, classes)
    start = _baseline(images, baseline)[None]
    rows = np.arange(len(images))
    risen = (
        scores.all_logits(images)[rows, classes]
        - scores.all_logits(start)[0, classes]
    ).astype(np.float64)
    sums = np.asarray(maps, np.float64).reshape(len(images), -1).sum(axis=1)
    return np.abs(sums - risen) / np.maximum(np.abs(risen), 1e-6)


def _slopes(scores):
    def slopes_of(images, classes):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            chosen = class_scores.picked(scores.logits(images), classes)
        slopes = tape.gradient(chosen, images)
        if slopes is None:
            raise ValueError(
                "The model has no gradient at its input: something in it "
                "cannot be differentiated, such as a module without training "
                "functions, or rounding. Use 'occlusion', 'lime' or 'shap', "
                "which need inputs and outputs only."
            )
        return slopes

    return slopes_of


def _baseline(images, baseline) -> np.ndarray:
    baseline = np.asarray(baseline, np.float32)
    shape = images.shape[1:]
    if baseline.shape not in ((), shape[-1:], shape):
        raise ValueError(
            f"`baseline` does not fit. Got shape: {baseline.shape}. Expected "
            f"a number, {shape[-1]} of them, or an image of shape {shape}."
        )
    return np.broadcast_to(baseline, shape)
