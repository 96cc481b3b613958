"""Snow and fog, on RGB images with values from 0 to 1."""

import numpy as np

from tl_keras.evaluation import corruption_blur

_LUMINANCE = (0.299, 0.587, 0.114)
_FOG_PX = 256


def snow(image, rng, unit, mean, deviation, size, least, radius, sigma, mix):
    """Flakes that fall, in front of an image that turns pale."""
    flakes = rng.normal(mean, deviation, image.shape[:2])[..., None]
    flakes = corruption_blur.magnified(flakes, size)
    flakes = np.clip(np.where(flakes < least, 0, flakes), 0, 1)
    angle = rng.uniform(-135, -45)
    flakes = corruption_blur.moved(
        flakes, round(radius * unit), sigma * unit, angle
    )
    grey = (image @ np.array(_LUMINANCE))[..., None]
    pale = mix * image + (1 - mix) * np.maximum(image, grey * 1.5 + 0.5)
    return pale + flakes + flakes[::-1, ::-1]


def fog(image, rng, unit, thickness, decay):
    """A plasma fractal in front, and less contrast behind."""
    height, width = image.shape[:2]
    side = max(_FOG_PX, 2 ** int(np.ceil(np.log2(max(height, width)))))
    cloud = _plasma(rng, side, decay)[:height, :width, None]
    brightest = image.max()
    return (image + thickness * cloud) * brightest / (brightest + thickness)


def _plasma(rng, side: int, decay: float):
    """Heights from 0 to 1 by the diamond-square algorithm, `[side, side]`.

    `side` is a power of two; what leaves at one border comes in at the other.
    """
    heights = np.zeros((side, side))
    step, roughness = side, 100.0

    def rough(mean):
        return mean / 4 + roughness * rng.uniform(
            -roughness, roughness, mean.shape
        )

    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        pairs = corners + np.roll(corners, -1, axis=0)
        heights[half::step, half::step] = rough(
            pairs + np.roll(pairs, -1, axis=1)
        )
        middles = heights[half::step, half::step]
        beside = middles + np.roll(middles, 1, axis=0)
        along = corners + np.roll(corners, -1, axis=1)
        heights[::step, half::step] = rough(beside + along)
        beside = middles + np.roll(middles, 1, axis=1)
        along = corners + np.roll(corners, -1, axis=0)
        heights[half::step, ::step] = rough(beside + along)
        step, roughness = half, roughness / decay
    heights -= heights.min()
    return heights / heights.max()
