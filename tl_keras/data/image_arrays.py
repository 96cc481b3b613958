"""Checks of arrays that are to be images."""

import numpy as np

from tl_keras.data import examples


def to_inputs(images, split: str) -> examples.Pixels:
    """Images as they are kept, if that is what they are.

    Args:
        images: Array-like `[examples, height, width]` or `[examples, height,
            width, 1 or 3 or 4]`: integers in 0..255, or floats.
        split: Name of the part, for errors.

    Raises:
        ValueError: If they have another shape or dtype, or a value is out of
            range or not finite.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"The images of `{split}` have the wrong shape. Got: "
            f"{images.shape}. Expected: (examples, height, width) or "
            "(examples, height, width, channels) with 1, 3 or 4 channels, "
            "which come last. (For sounds pass `sample_rate=`.)"
        )
    if 0 in images.shape:
        raise ValueError(
            f"The images of `{split}` are empty. Got shape: {images.shape}. "
            "Leave the part out if there are none."
        )
    if images.dtype.kind == "f":
        images = images.astype(np.float32, copy=False)
        return examples.Pixels(_finite(images, split))
    if images.dtype.kind not in "iu":
        raise ValueError(
            f"The images of `{split}` have the wrong dtype. Got: "
            f"{images.dtype}. Expected integers or floats on the scale 0..255."
        )
    low, high = images.min(), images.max()
    if low < 0 or high > 255:
        raise ValueError(
            f"The images of `{split}` are out of range. Got integers from "
            f"{low} to {high}. Expected 0..255; for 16 bits, divide by 257."
        )
    return examples.Pixels(images.astype(np.uint8, copy=False))


def check_alike(parts) -> None:
    """Raises an error unless the images of all parts are on one scale.

    Args:
        parts: Dict of split name to `Pixels`.
    """
    kinds = {
        split: f"{pixels.array.dtype} with {pixels.array.shape[-1]} channels"
        for split, pixels in parts.items()
    }
    if len(set(kinds.values())) > 1:
        raise ValueError(
            "The parts' images are of different kinds. Got: "
            + ", ".join(f"{split} {kind}" for split, kind in kinds.items())
            + ". Expected the same dtype and channels, so that all are on one "
            "scale."
        )


def _finite(images, split):
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    if not finite.all():
        raise ValueError(
            f"{(~finite).sum()} images of `{split}` contain NaN or infinity. "
            f"The first is at position {finite.argmin()}. Expected values on "
            "the scale 0..255."
        )
    return images
