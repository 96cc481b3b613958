"""Bends and turns of images."""

import numpy as np
from scipy import ndimage


def elastic(image, rng, unit, strength, smoothness, tilt):
    """Tilts an image a little and moves its pixels along a smooth field.

    Args:
        image: `[height, width, 3]`.
        rng: Draws the field.
        unit: Not used: all lengths are shares of the shorter side.
        strength: How far pixels move, before smoothing.
        smoothness: Deviation of the smoothing.
        tilt: How far the corners of the tilt move.
    """
    size = min(image.shape[:2])
    image = _tilted(image, rng, tilt * size)
    field = rng.uniform(-1, 1, (2, *image.shape[:2]))
    sigma = smoothness * size
    field = (
        strength
        * size
        * np.stack(
            [ndimage.gaussian_filter(one, sigma, truncate=3) for one in field]
        )
    )
    rows, columns = np.indices(image.shape[:2])
    places = [rows + field[1], columns + field[0]]
    return np.stack(
        [
            ndimage.map_coordinates(channel, places, order=1, mode="reflect")
            for channel in np.moveaxis(image, -1, 0)
        ],
        axis=-1,
    )


def rotation(image, rng, unit, degrees):
    """Turns an image about its middle, to the left or to the right."""
    angle = degrees * rng.choice([-1, 1])
    return ndimage.rotate(image, angle, reshape=False, order=1, mode="mirror")


def _tilted(image, rng, reach):
    """The affine map of three points to where they are moved, at random."""
    middle = np.array(image.shape[:2]) // 2
    third = min(image.shape[:2]) // 3
    before = middle + third * np.array([[1, 1], [1, -1], [-1, -1]])
    after = before + rng.uniform(-reach, reach, before.shape)
    # Where each pixel of the result comes from: `after` to `before`.
    taken = np.linalg.solve(np.c_[after, np.ones(3)], before)
    return np.stack(
        [
            ndimage.affine_transform(
                channel, taken[:2].T, taken[2], order=1, mode="mirror"
            )
            for channel in np.moveaxis(image, -1, 0)
        ],
        axis=-1,
    )
