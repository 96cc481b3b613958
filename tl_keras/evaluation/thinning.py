"""Fewer points of a curve, such that it looks the same."""

import numpy as np

MOST_POINTS = 200


def indices(horizontal, vertical) -> np.ndarray:
    """Which points of a curve to keep: at most `MOST_POINTS`.

    They are evenly spread along the way, with both ends.

    Args:
        horizontal: Float array `[points]`, not empty.
        vertical: Likewise.

    Example:
        >>> indices([0.0, 0.5, 1.0], [0.0, 1.0, 1.0]).tolist()
        [0, 1, 2]
    """
    count = len(horizontal)
    if count <= MOST_POINTS:
        return np.arange(count)
    steps = np.abs(np.diff(horizontal)) + np.abs(np.diff(vertical))
    way = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0.0, way[-1], MOST_POINTS)[1:-1]
    return np.unique([0, *np.searchsorted(way, wanted), count - 1])
