"""Noise of sensors, on images with values from 0 to 1."""

import numpy as np


def gaussian(image, rng, unit, deviation):
    """Adds normal noise: little light."""
    return image + rng.normal(scale=deviation, size=image.shape)


def shot(image, rng, unit, photons):
    """Counts photons, of which white has so many."""
    return rng.poisson(image * photons) / photons


def impulse(image, rng, unit, share):
    """Sets a share of the values to 0 or 1: bit errors."""
    hit = rng.random(image.shape) < share
    return np.where(hit, rng.random(image.shape) < 0.5, image)


def speckle(image, rng, unit, deviation):
    """Adds normal noise in proportion to the value."""
    return image + image * rng.normal(scale=deviation, size=image.shape)
