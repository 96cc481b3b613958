"""Changes of light and colour, on RGB images with values from 0 to 1."""

import numpy as np
from matplotlib import colors as matplotlib_colors


def brightness(image, rng, unit, more):
    """Adds to the value of HSV."""
    hsv = matplotlib_colors.rgb_to_hsv(image)
    hsv[..., 2] = np.clip(hsv[..., 2] + more, 0, 1)
    return matplotlib_colors.hsv_to_rgb(hsv)


def contrast(image, rng, unit, factor):
    """Brings each channel closer to its mean."""
    means = image.mean(axis=(0, 1), keepdims=True)
    return (image - means) * factor + means


def saturate(image, rng, unit, factor, more):
    """Scales the saturation of HSV, and adds to it."""
    hsv = matplotlib_colors.rgb_to_hsv(image)
    hsv[..., 1] = np.clip(hsv[..., 1] * factor + more, 0, 1)
    return matplotlib_colors.hsv_to_rgb(hsv)
