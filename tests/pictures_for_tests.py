"""Made-up pictures with detail at all scales, and copies of them."""

import io

import numpy as np
import PIL.Image
from scipy import ndimage


def pictures(count, *, size=32, seed=0):
    """uint8 `[count, size, size, 3]`: clouds in colour, no two alike."""
    rng = np.random.default_rng(seed)
    sums = np.zeros((count, size, size, 3))
    for spread in (1, 2, 4):
        noise = rng.normal(size=sums.shape)
        clouds = ndimage.gaussian_filter(noise, (0, spread, spread, 0))
        sums += clouds / clouds.std()
    return np.clip(128 + 40 * sums, 0, 255).astype(np.uint8)


def flipped(picture):
    return picture[:, ::-1]


def recompressed(picture, quality=50):
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(file))


def cropped(picture, border=2):
    inner = PIL.Image.fromarray(picture[border:-border, border:-border])
    return np.asarray(inner.resize(picture.shape[1::-1], PIL.Image.BILINEAR))
