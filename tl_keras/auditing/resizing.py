"""Resizing of many small pictures at once, as a product of matrices."""

import functools

import numpy as np
import tensorflow as tf


@functools.lru_cache(maxsize=32)
def matrix(size: int, new_size: int) -> np.ndarray:
    """What turns a column of pixels into one of another length.

    Bilinear, over as many pixels as fall into one (antialiasing).

    Args:
        size: How many pixels there are.
        new_size: How many there are to be.

    Returns:
        float32 array `[new_size, size]`; each row sums to 1.

    Example:
        >>> from tl_keras.auditing import resizing
        >>> resizing.matrix(4, 2).shape
        (2, 4)
    """
    columns = np.eye(size, dtype=np.float32)[..., None]
    return tf.image.resize(columns, [new_size, size], antialias=True).numpy()[
        ..., 0
    ]


def apply(pictures, rows, columns=None) -> np.ndarray:
    """Pictures whose height and width go through matrices.

    Args:
        pictures: float32 array `[pictures, height, width]`.
        rows: float32 array `[new height, height]`.
        columns: float32 array `[new width, width]`; None is `rows`.

    Returns:
        float32 array `[pictures, new height, new width]`.
    """
    columns = rows if columns is None else columns
    return np.matmul(rows, pictures @ columns.T)
