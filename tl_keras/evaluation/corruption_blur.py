"""Blur of lenses, of glass and of motion, on images with values from 0 to 1."""

import math

import numpy as np
from scipy import ndimage
from scipy import signal

# A disk no larger than this is smoothed over its next neighbours only.
_SMALL_RADIUS = 8


def gaussian(image, rng, unit, sigma):
    """Normal blur, `sigma` in units of pixels."""
    return _smoothed(image, sigma * unit)


def defocus(image, rng, unit, radius, smoothing):
    """The blur of a lens: each point becomes a disk."""
    radius = radius * unit
    reach = max(_SMALL_RADIUS, math.ceil(radius))
    steps = np.arange(-reach, reach + 1)
    disk = steps[:, None] ** 2 + steps[None] ** 2 <= radius**2
    kernel = ndimage.gaussian_filter(
        disk / disk.sum(),
        smoothing,
        mode="mirror",
        radius=1 if reach <= _SMALL_RADIUS else 2,
    )
    # What is mirrored has to be there to be mirrored.
    shorter = min(image.shape[:2]) - 1
    cut = max(0, reach - shorter)
    if cut:
        kernel = kernel[cut:-cut, cut:-cut]
        kernel, reach = kernel / kernel.sum(), shorter
    padded = np.pad(
        image, ((reach, reach), (reach, reach), (0, 0)), mode="reflect"
    )
    return signal.fftconvolve(
        padded, kernel[..., None], mode="valid", axes=(0, 1)
    )


def glass(image, rng, unit, sigma, reach, times):
    """The blur of frosted glass: each pixel is taken from a near one.

    The published code means to swap the two and copies one over the other,
    and so do the published images.
    """
    height, width = image.shape[:2]
    reach = max(1, round(reach * unit))
    smooth = _smoothed(image, sigma * unit)
    places = list(range(height * width))
    rows = range(height - reach - 1, reach, -1)
    columns = range(width - reach - 1, reach, -1)
    for _ in range(times):
        moves = rng.integers(-reach, reach, (len(rows) * len(columns), 2))
        moves = iter((moves[:, 0] * width + moves[:, 1]).tolist())
        for row in rows:
            for here in range(
                row * width + columns.start, row * width + columns.stop, -1
            ):
                places[here] = places[here + next(moves)]
    shuffled = smooth.reshape(-1, 3)[places].reshape(image.shape)
    return _smoothed(shuffled, sigma * unit)


def motion(image, rng, unit, radius, sigma):
    """The blur of a camera that moves, up to 45 degrees from level."""
    angle = rng.uniform(-45, 45)
    return moved(image, round(radius * unit), sigma * unit, angle)


def moved(image, radius: int, sigma: float, angle: float):
    """Blurs along a line, to one side, in whole pixels.

    Args:
        image: `[height, width, ...]`.
        radius: Half the length of the line, in pixels.
        sigma: Deviation of the normal weights along it, in pixels.
        angle: In degrees, 0 along the rows.
    """
    lengths = np.arange(2 * radius + 1)
    weights = np.exp(-(lengths**2) / (2 * sigma**2))
    rows = -np.ceil(lengths * math.sin(math.radians(angle)) - 0.5).astype(int)
    columns = -np.ceil(lengths * math.cos(math.radians(angle)) - 0.5)
    columns = columns.astype(int)
    reach = len(lengths)
    sides = ((reach, reach), (reach, reach)) + ((0, 0),) * (image.ndim - 2)
    padded = np.pad(image, sides, mode="edge")
    height, width = image.shape[:2]
    total = np.zeros_like(image, dtype=float)
    for weight, row, column in zip(weights, rows, columns, strict=True):
        top, left = reach - row, reach - column
        total += weight * padded[top : top + height, left : left + width]
    return total / weights.sum()


def zoom(image, rng, unit, stop, step):
    """The blur of a camera that moves ahead: the mean of enlarged images."""
    factors = np.arange(1, stop, step)
    enlarged = sum(magnified(image, factor) for factor in factors)
    return (image + enlarged) / (len(factors) + 1)


def magnified(image, factor: float):
    """The middle of an image, enlarged to the size of the whole, bilinear.

    Args:
        image: `[height, width, channels]`.
        factor: At least 1.
    """
    height, width = image.shape[:2]
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    middle = _central(image, rows, columns)
    large = ndimage.zoom(middle, (factor, factor, 1), order=1)
    return _central(large, height, width)


def _central(image, height, width):
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def _smoothed(image, sigma):
    return ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest")
