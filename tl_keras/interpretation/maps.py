"""Maps over images: to one number a pixel, and to a common scale."""

import numpy as np


def over_channels(maps) -> np.ndarray:
    """One number a pixel: the sum over the channels.

    Args:
        maps: `[examples, height, width]`, or with channels behind.

    Example:
        >>> over_channels(np.ones((1, 2, 2, 3)))[0, 0].tolist()
        [3.0, 3.0]
    """
    maps = np.asarray(maps)
    return maps.sum(axis=-1) if maps.ndim == 4 else maps


def scaled(maps) -> np.ndarray:
    """Maps in 0..1, or in -1..1 where they have both signs.

    Args:
        maps: `[examples, height, width]`. Each is divided by its own largest
            absolute value; a map of zeros stays one.

    Example:
        >>> scaled(np.array([[[2.0, -4.0]]])).tolist()
        [[[0.5, -1.0]]]
    """
    maps = np.asarray(maps, np.float32)
    largest = np.abs(maps).max(axis=(1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)
