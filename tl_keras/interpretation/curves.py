"""Deletion and insertion curves: does an explanation find what matters?"""

import numpy as np
from scipy import ndimage

from tl_keras import checks
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import images as images_

# The probability is asked for after each of these steps.
STEPS = 14
# Squares along each side of the image that come or go as a whole.
_CELLS = 14
_SMALLEST_CELL_PX = 2


def fractions(steps: int = STEPS) -> np.ndarray:
    """Which share of an image is gone, or there, at each point of a curve."""
    return np.linspace(0.0, 1.0, steps + 1)


def deletion(
    model, images, maps, *, classes=None, fill=None, steps: int = STEPS
) -> np.ndarray:
    """A class's probability while what a map marks is taken away, step by step.

    The image is divided into squares, 14 along a side where it has the pixels
    for it; those with the highest mean in the map go first. Squares and not
    pixels, since a sprinkling of changed pixels fools a network whatever it
    has to do with the class. The sooner the probability falls, and so the
    smaller the area below the curve, the better the map.

    Args:
        model: A `keras.Model` from images to logits or probabilities, or the
            `ClassScores` of one.
        images: `[examples, height, width, channels]` as the model takes them.
        maps: `[examples, height, width]`, higher where it matters more.
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        fill: What stays where a square was: a number, a value a channel, or
            None for the mean colour of each image.
        steps: Number of steps, at least 1.

    Returns:
        float32 `[examples, steps + 1]`: from the whole image to none of it;
        `fractions(steps)` has the shares. `area` gives the area below.

    Raises:
        ValueError: If images, maps or classes do not fit, or a map holds NaN.

    Example:
        >>> import keras
        >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten()]
        >>> model = keras.Sequential([*layers, keras.layers.Dense(2)])
        >>> images, maps = np.ones((1, 4, 4, 1)), np.ones((1, 4, 4))
        >>> deletion(model, images, maps, steps=4).shape
        (1, 5)

    Reference:
        Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for
        Explanation of Black-box Models", BMVC 2018,
        https://arxiv.org/abs/1806.07421 (there, single pixels).
    """
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    colors = np.broadcast_to(images_.fill_color(images, fill), images.shape)
    return _curves(scores, images, colors, images, maps, classes, steps)


def insertion(
    model, images, maps, *, classes=None, steps: int = STEPS
) -> np.ndarray:
    """A class's probability while what a map marks comes back, step by step.

    As `deletion`, the other way round: it begins with the image blurred
    beyond recognition (Gaussian, a sixteenth of its shorter side), and the
    larger the area, the better the map.

    Args:
        model: A `keras.Model` from images to logits or probabilities, or the
            `ClassScores` of one.
        images: `[examples, height, width, channels]` as the model takes them.
        maps: `[examples, height, width]`.
        classes: As in `deletion`.
        steps: Number of steps, at least 1.

    Returns:
        float32 `[examples, steps + 1]`: from the blurred image to the whole.

    Raises:
        ValueError: As `deletion`.

    Example:
        >>> import keras
        >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten()]
        >>> model = keras.Sequential([*layers, keras.layers.Dense(2)])
        >>> images, maps = np.ones((1, 4, 4, 1)), np.ones((1, 4, 4))
        >>> insertion(model, images, maps, steps=4).shape
        (1, 5)
    """
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    sigma = min(images.shape[1:3]) / 16
    blurred = ndimage.gaussian_filter(images, (0, sigma, sigma, 0))
    return _curves(scores, images, images, blurred, maps, classes, steps)


def of_parts(parts, order, class_index, *, inserts: bool) -> np.ndarray:
    """A class's probability while the parts of a text go or come, in order.

    Args:
        parts: The text's `Words` or `Tokens`.
        order: Their positions, the first to go or to come first.
        class_index: The class.
        inserts: Whether they come back, instead of going.

    Returns:
        float32 `[points]`: at most 14 steps, from all parts to none, or from
        none to all.
    """
    steps = min(STEPS, len(order))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    bounds = np.round(fractions(steps) * len(order))
    reached = ranks[None] < bounds[:, None]
    logits = parts.logits(reached if inserts else ~reached)
    return parts.scores.as_probabilities(logits)[:, class_index]


def area(curve) -> np.ndarray:
    """The area below curves, between 0 and 1: the mean probability on the way.

    Args:
        curve: `[..., points]`, at equal distances.

    Example:
        >>> float(area([1.0, 0.5, 0.0]))
        0.5
    """
    curve = np.asarray(curve, np.float64)
    return (curve[..., :-1] + curve[..., 1:]).mean(axis=-1) / 2


def _curves(scores, images, target, start, maps, classes, steps):
    """Probabilities on the way from `start` to `target`, square by square.

    For deletion `start` is the image, and for insertion `target` is.
    """
    checks.integer(steps, name="steps", low=1)
    maps = _checked_maps(images, maps)
    classes = scores.chosen(images, classes)
    curves = np.zeros((len(images), steps + 1), np.float32)
    for index in range(len(images)):
        ranks = _ranks(maps[index])
        bounds = np.round(fractions(steps) * (ranks.max() + 1))
        reached = (ranks[None] < bounds[:, None, None])[..., None]
        batch = np.where(reached, target[index], start[index])
        curves[index] = scores.probabilities(batch)[:, classes[index]]
    return curves


def _ranks(values) -> np.ndarray:
    """For each pixel the rank of its square, 0 where the map is highest."""
    rows, row_count = _cell_of(values.shape[0])
    columns, column_count = _cell_of(values.shape[1])
    cell_of = rows[:, None] * column_count + columns[None]
    count = row_count * column_count
    sums = np.bincount(cell_of.reshape(-1), values.reshape(-1), count)
    means = sums / np.bincount(cell_of.reshape(-1), minlength=count)
    # Squares that are alike go in an order that no reader would guess, and
    # not from top to bottom.
    shuffled = np.random.default_rng(0).permutation(count)
    order = shuffled[np.argsort(-means[shuffled], kind="stable")]
    ranks = np.empty(count, np.int64)
    ranks[order] = np.arange(count)
    return ranks[cell_of]


def _cell_of(length):
    """For each pixel along a side its square, and how many there are."""
    count = max(1, min(_CELLS, length // _SMALLEST_CELL_PX))
    return np.arange(length) * count // length, count


def _checked_maps(images, maps) -> np.ndarray:
    maps = np.asarray(maps, np.float64)
    if maps.shape != images.shape[:3] or not np.isfinite(maps).all():
        raise ValueError(
            f"`maps` does not fit. Got shape: {maps.shape}, "
            f"{np.sum(~np.isfinite(maps))} numbers not finite. Expected a "
            f"finite number for each pixel: {images.shape[:3]}."
        )
    return maps
