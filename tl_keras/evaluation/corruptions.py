"""Common corruptions of images at five severities, as in CIFAR-10-C.

What each does, and how much of it at each severity, is that of Hendrycks and
Dietterich; the operations are NumPy's, SciPy's and Pillow's. Frost and spatter
are left out: they need photographs of ice, and OpenCV. Rotation is added.
"""

import io
import zlib

import numpy as np
from PIL import Image

from tl_keras import checks
from tl_keras.evaluation import corruption_blur
from tl_keras.evaluation import corruption_color
from tl_keras.evaluation import corruption_noise
from tl_keras.evaluation import corruption_shape
from tl_keras.evaluation import corruption_weather

SEVERITIES = (1, 2, 3, 4, 5)
# Images up to this size take what CIFAR-10-C has at 32 pixels, larger ones
# what ImageNet-C has at 224; lengths in pixels grow with the image.
_LARGEST_SMALL_PX = 64
_SMALL_PX, _LARGE_PX = 32, 224


def _jpeg_compression(image, rng, unit, quality):
    encoded = io.BytesIO()
    _as_pillow(image).save(encoded, "JPEG", quality=quality)
    return np.asarray(Image.open(encoded)) / 255


def _pixelate(image, rng, unit, share):
    height, width = image.shape[:2]
    small = (max(1, int(width * share)), max(1, int(height * share)))
    shrunk = _as_pillow(image).resize(small, Image.Resampling.BOX)
    grown = shrunk.resize((width, height), Image.Resampling.BOX)
    return np.asarray(grown) / 255


def _as_pillow(image):
    return Image.fromarray(np.round(image * 255).astype(np.uint8))


# Name to function, and what it takes at each severity: of small images, then
# of large ones.
_CORRUPTIONS = {
    "gaussian_noise": (
        corruption_noise.gaussian,
        (0.04, 0.06, 0.08, 0.09, 0.10),
        (0.08, 0.12, 0.18, 0.26, 0.38),
    ),
    "shot_noise": (
        corruption_noise.shot,
        (500, 250, 100, 75, 50),
        (60, 25, 12, 5, 3),
    ),
    "impulse_noise": (
        corruption_noise.impulse,
        (0.01, 0.02, 0.03, 0.05, 0.07),
        (0.03, 0.06, 0.09, 0.17, 0.27),
    ),
    "speckle_noise": (
        corruption_noise.speckle,
        (0.06, 0.1, 0.12, 0.16, 0.2),
        (0.15, 0.2, 0.35, 0.45, 0.6),
    ),
    "gaussian_blur": (
        corruption_blur.gaussian,
        (0.4, 0.6, 0.7, 0.8, 1),
        (1, 2, 3, 4, 6),
    ),
    "defocus_blur": (
        corruption_blur.defocus,
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "glass_blur": (
        corruption_blur.glass,
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "motion_blur": (
        corruption_blur.motion,
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    "zoom_blur": (
        corruption_blur.zoom,
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    "snow": (
        corruption_weather.snow,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "fog": (
        corruption_weather.fog,
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "brightness": (
        corruption_color.brightness,
        (0.05, 0.1, 0.15, 0.2, 0.3),
        (0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    "contrast": (
        corruption_color.contrast,
        (0.75, 0.5, 0.4, 0.3, 0.15),
        (0.4, 0.3, 0.2, 0.1, 0.05),
    ),
    "saturate": (
        corruption_color.saturate,
        ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
    ),
    "elastic_transform": (
        corruption_shape.elastic,
        (
            (0, 0, 0.08),
            (0.05, 0.2, 0.07),
            (0.08, 0.06, 0.06),
            (0.1, 0.04, 0.05),
            (0.1, 0.03, 0.03),
        ),
        (
            (2, 0.7, 0.1),
            (2, 0.08, 0.2),
            (0.05, 0.01, 0.02),
            (0.07, 0.01, 0.02),
            (0.12, 0.01, 0.02),
        ),
    ),
    "rotation": (
        corruption_shape.rotation,
        (5, 10, 15, 20, 30),
        (5, 10, 15, 20, 30),
    ),
    "pixelate": (
        _pixelate,
        (0.95, 0.9, 0.85, 0.75, 0.65),
        (0.6, 0.5, 0.4, 0.3, 0.25),
    ),
    "jpeg_compression": (
        _jpeg_compression,
        (80, 65, 58, 50, 40),
        (25, 18, 15, 10, 7),
    ),
}

NAMES = tuple(_CORRUPTIONS)


def corrupt(image, name: str, severity: int, *, seed: int = 0, index: int = 0):
    """One image, corrupted.

    The same for the same arguments, whatever was corrupted before and on how
    many threads.

    Args:
        image: `[height, width, channels]`, 0..255, uint8 or float; 1 (grey),
            3 (RGB) or 4 channels, of which the last stays as it is.
        name: One of `NAMES`.
        severity: 1 (mild) to 5. Images up to 64 pixels are treated as
            CIFAR-10-C does those of 32, larger ones as ImageNet-C does those
            of 224; radii and shifts grow with the image.
        seed: Of what is drawn at random.
        index: The example's, so that each gets noise of its own.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        ValueError: If an argument is none of these.

    Example:
        >>> grey = np.full((32, 32, 3), 100, np.uint8)
        >>> brighter = corrupt(grey, "brightness", 5)
        >>> int(brighter[0, 0, 0]) - 100 == round(0.3 * 255)
        True

    Reference:
        Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to
        Common Corruptions and Perturbations", ICLR 2019,
        https://arxiv.org/abs/1903.12261,
        https://github.com/hendrycks/robustness
    """
    checks.one_of(name, _CORRUPTIONS, name="corruption")
    checks.one_of(severity, SEVERITIES, name="severity")
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"`image` must be [height, width, 1, 3 or 4]. Got: {image.shape}."
        )
    function, of_small, of_large = _CORRUPTIONS[name]
    size = min(image.shape[:2])
    small = size <= _LARGEST_SMALL_PX
    amount = (of_small if small else of_large)[severity - 1]
    amount = amount if isinstance(amount, tuple) else (amount,)
    unit = size / (_SMALL_PX if small else _LARGE_PX)
    rng = np.random.default_rng([seed, index, zlib.crc32(name.encode())])
    color = np.clip(image[..., :3] / 255.0, 0, 1)
    if image.shape[-1] == 1:
        color = np.repeat(color, 3, axis=-1)
    changed = np.clip(function(color, rng, unit, *amount), 0, 1)
    changed = np.round(changed * 255).astype(np.uint8)
    if image.shape[-1] == 1:
        return changed[..., :1]
    rest = np.round(image[..., 3:]).astype(np.uint8)
    return np.concatenate([changed, rest], axis=-1)
