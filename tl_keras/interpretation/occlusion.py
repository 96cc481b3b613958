"""Occlusion: what a class loses when a window is covered."""

import numpy as np

from tl_keras import checks
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import images as images_


def occlusion(
    model,
    images,
    *,
    classes=None,
    window: int | None = None,
    stride: int | None = None,
    fill=None,
):
    """How much a class's logit falls when a part of an image is covered.

    A square window slides over the image. Each pixel gets the mean fall over
    all windows that cover it. It needs inputs and outputs only, and one pass
    for each window.

    Args:
        model: A `keras.Model` from images to logits or probabilities, or the
            `ClassScores` of one.
        images: `[examples, height, width, channels]` as the model takes them,
            e.g. 0..255.
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        window: Side of the window in pixels. None: an eighth of the shorter
            side of the image, at least 1.
        stride: Pixels from one window to the next, at most `window`. None:
            half a window. The last windows end at the border.
        fill: What covers: a number, a value a channel, or None for the mean
            colour of each image.

    Returns:
        float32 `[examples, height, width]`: positive where the image speaks
        for the class.

    Raises:
        ValueError: If images, classes, window or stride do not fit.

    Example:
        >>> import keras
        >>> layers = [keras.Input((1, 2, 1)), keras.layers.Flatten()]
        >>> model = keras.Sequential([*layers, keras.layers.Dense(2)])
        >>> model.set_weights([np.array([[1.0, 0], [3, 0]]), np.zeros(2)])
        >>> image = np.array([[[[5.0], [2]]]])
        >>> occlusion(model, image, classes=0, window=1, fill=0).tolist()
        [[[5.0, 6.0]]]

    Reference:
        Zeiler and Fergus, "Visualizing and Understanding Convolutional
        Networks", ECCV 2014, https://arxiv.org/abs/1311.2901
    """
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    shorter = min(images.shape[1:3])
    window = max(1, shorter // 8) if window is None else window
    checks.integer(window, name="window", low=1)
    checks.in_range(window, name="window", high=shorter)
    stride = max(1, window // 2) if stride is None else stride
    checks.integer(stride, name="stride", low=1)
    checks.in_range(stride, name="stride", high=window)
    classes = scores.chosen(images, classes)
    colors = images_.fill_color(images, fill)
    colors = np.broadcast_to(colors, (len(images), *colors.shape[1:]))
    before = scores.all_logits(images)
    corners = [
        (top, left)
        for top in _starts(images.shape[1], window, stride)
        for left in _starts(images.shape[2], window, stride)
    ]
    maps = np.zeros(images.shape[:3], np.float32)
    for index, image in enumerate(images):
        falls = before[index, classes[index]] - _covered_logits(
            scores, image, colors[index], corners, window
        )
        maps[index] = _mean_fall(
            falls[:, classes[index]], corners, window, image.shape[:2]
        )
    return maps


def _starts(length, window, stride) -> list[int]:
    last = length - window
    return sorted({*range(0, last + 1, stride), last})


def _covered_logits(scores, image, color, corners, window):
    """Logits with each window covered, `[corners, num_classes]`."""
    rows = []
    # A batch at a time: all covered images together may not fit in memory.
    for start in range(0, len(corners), class_scores.BATCH_SIZE):
        part = corners[start : start + class_scores.BATCH_SIZE]
        batch = np.repeat(image[None], len(part), axis=0)
        for covered, (top, left) in zip(batch, part, strict=True):
            covered[top : top + window, left : left + window] = color
        rows.append(scores.all_logits(batch))
    return np.concatenate(rows)


def _mean_fall(falls, corners, window, shape):
    total, count = np.zeros(shape), np.zeros(shape)
    for fall, (top, left) in zip(falls, corners, strict=True):
        total[top : top + window, left : left + window] += fall
        count[top : top + window, left : left + window] += 1
    return total / count
