"""Images to explain: whether they fit, and what covers a part of one."""

import numpy as np

from tl_keras.interpretation import class_scores


def checked(model, images) -> np.ndarray:
    """Images as a float32 array, if a model takes them.

    Args:
        model: A built `keras.Model` with one input.
        images: `[examples, height, width, channels]`, numbers.

    Raises:
        ValueError: If they do not fit, or there are none.
    """
    images = np.asarray(images)
    taken = model.inputs[0].shape if model.inputs else None
    fits = images.ndim == 4 and len(images) and images.dtype.kind in "iuf"
    if fits and taken is not None:
        fits = len(taken) == 4 and all(
            own in (None, given)
            for own, given in zip(taken[1:], images.shape[1:], strict=True)
        )
    if not fits:
        expected = "[examples, height, width, channels]"
        if taken is not None:
            expected = ", ".join(map(str, taken[1:]))
            expected = f"at least one of shape [{expected}], as the model takes"
        raise ValueError(
            f"`images` does not fit. Got: {images.dtype} of shape "
            f"{images.shape}. Expected {expected}."
        )
    return images.astype(np.float32)


def fill_color(images, fill=None) -> np.ndarray:
    """What stands where a part of an image is taken away.

    Args:
        images: float32 `[examples, height, width, channels]`.
        fill: A number, a value a channel, or None for each image's own mean
            colour.

    Returns:
        float32 that broadcasts against `images`.
    """
    if fill is None:
        return images.mean(axis=(1, 2), keepdims=True)
    fill = np.asarray(fill, np.float32)
    if fill.shape not in ((), (images.shape[-1],)):
        raise ValueError(
            f"`fill` does not fit. Got shape: {fill.shape}. Expected a number, "
            f"or {images.shape[-1]} of them, one a channel."
        )
    return np.broadcast_to(fill, images.shape[-1:])[None, None, None]


def logits_with_parts(scores, image, color, part_of, class_index):
    """A function from which parts of an image are there to a class's logit.

    Args:
        scores: The `ClassScores` of the model.
        image: float32 `[height, width, channels]`.
        color: What stands where a part is not there, broadcasts to it.
        part_of: int `[height, width]`: the part that each pixel is in.
        class_index: Whose logit.

    Returns:
        A function from `[rows, parts]`, 0 and 1 or bool, to float32 `[rows]`.
    """

    def logits_of(keep):
        keep, logits = np.asarray(keep, bool), []
        # A batch at a time: all covered images may not fit in memory.
        for start in range(0, len(keep), class_scores.BATCH_SIZE):
            there = keep[start : start + class_scores.BATCH_SIZE, part_of]
            covered = np.where(there[..., None], image, color)
            logits.append(scores.all_logits(covered)[:, class_index])
        return np.concatenate(logits)

    return logits_of
