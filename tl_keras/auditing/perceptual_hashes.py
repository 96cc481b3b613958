"""Hashes of pictures that barely change where the picture barely does."""

import dataclasses

import numpy as np

# What of a picture is left of each side in its inner part: 2 of 32 pixels.
_BORDER = 1 / 16
_BLOCK = 512
_CHUNK = 2048


@dataclasses.dataclass(frozen=True, eq=False)
class Hashes:
    """63 signs, 1 or -1, of each picture, of its mirror image, and of both
    without their borders.

    Attributes:
        whole: int8 `[pictures, 63]`.
        mirrored: int8 `[pictures, 63]`.
        inner: int8 `[pictures, 63]`.
        inner_mirrored: int8 `[pictures, 63]`.
    """

    whole: np.ndarray
    mirrored: np.ndarray
    inner: np.ndarray
    inner_mirrored: np.ndarray


def of(pictures) -> Hashes:
    """The perceptual hashes of pictures.

    The lowest 8 x 8 frequencies of the picture's discrete cosine transform,
    without the mean, each 1 where it is above their median and -1 elsewhere.

    Args:
        pictures: uint8 array `[pictures, size, size]`, grey.

    Example:
        >>> import numpy as np
        >>> from tl_keras.auditing import perceptual_hashes
        >>> rng = np.random.default_rng(0)
        >>> pictures = rng.integers(0, 256, [2, 32, 32], np.uint8)
        >>> pictures[1] = pictures[0, :, ::-1]
        >>> hashes = perceptual_hashes.of(pictures)
        >>> bool((hashes.whole[0] == hashes.mirrored[1]).all())
        True

    Reference:
        Zauner, "Implementation and Benchmarking of Perceptual Image Hash
        Functions", 2010, https://www.phash.org/docs/pubs/thesis_zauner.pdf
    """
    cut = round(_BORDER * pictures.shape[1])
    parts = [
        (*_signs(some), *_signs(some[:, cut:-cut, cut:-cut]))
        for some in _chunks(pictures)
    ]
    return Hashes(*(np.concatenate(kind) for kind in zip(*parts, strict=True)))


def close_pairs(
    hashes: Hashes, most_different: int, *, mirrored: bool = True
) -> np.ndarray:
    """Pairs of pictures whose hashes differ in few signs.

    The first picture is compared with the second one, with its mirror image,
    and either with the other's inner part, which is what cropping leaves.

    Args:
        hashes: From `of`.
        most_different: In how many of the 63 signs they may differ.
        mirrored: Whether a mirror image counts as a copy.

    Returns:
        int64 array `[pairs, 2]`, the lower index first; each pair once.
    """
    enough = 63 - 2 * most_different
    rows, others = _compared(hashes, mirrored)
    count, found = len(hashes.whole), []
    for start in range(0, count, _BLOCK):
        block = slice(start, start + _BLOCK)
        alike = np.zeros((min(_BLOCK, count - start), count - start), bool)
        for row, other in zip(rows, others, strict=True):
            # A product of signs: how many agree, less how many do not.
            alike |= row[block] @ other[start:].T >= enough
        first, second = np.nonzero(alike)
        pairs = np.stack([first, second], axis=1)[first < second]
        found.append(pairs + start)
    return np.concatenate(found).astype(np.int64)


def _compared(hashes, mirrored):
    """What of the first picture is compared with what of the second."""
    whole, inner = hashes.whole, hashes.inner
    pairs = [(whole, whole), (whole, inner), (inner, whole)]
    if mirrored:
        turned, inside = hashes.mirrored, hashes.inner_mirrored
        pairs += [(whole, turned), (whole, inside), (inner, turned)]
    # As floats, in which the product is fastest and whole numbers are exact.
    as_floats = {
        id(kind): kind.astype(np.float32) for pair in pairs for kind in pair
    }
    return zip(
        *((as_floats[id(a)], as_floats[id(b)]) for a, b in pairs), strict=True
    )


def _chunks(pictures):
    for start in range(0, len(pictures), _CHUNK):
        yield pictures[start : start + _CHUNK]


def _signs(pictures):
    """Signs of pictures, and of their mirror images."""
    from scipy import fft

    pictures = pictures.astype(np.float32)
    frequencies = fft.dctn(pictures, axes=(1, 2))[:, :8, :8]
    # In the mirror, frequencies of odd number change their sign.
    turned = frequencies * np.where(np.arange(8) % 2, -1, 1)
    return _above_median(frequencies), _above_median(turned)


def _above_median(frequencies):
    flat = frequencies.reshape(len(frequencies), 64)[:, 1:]
    above = flat > np.median(flat, axis=1, keepdims=True)
    return np.where(above, 1, -1).astype(np.int8)
