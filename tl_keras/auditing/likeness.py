"""How alike two pictures are, cropped, shifted or mirrored as they may be."""

import numpy as np

from tl_keras.auditing import resizing

_SIZE = 24
_COARSE = 6
# Two photographs in white frames are alike at their edges.
_FRAME = 4
_CHUNK = 512
_LARGE_CHUNK = 16_384
# A first look, at which most candidates that are no copies are dropped.
_FIRST_SIZE = 16
_FIRST_LIKENESS = 0.5
# Windows (top, left, bottom, right) as shares of the side: what is left when
# up to an eighth of it is cut off, all around or at two sides.
_WINDOWS = (
    (0, 0, 1, 1),
    *((c, c, 1 - c, 1 - c) for c in (1 / 32, 1 / 16)),
    *(
        (top, left, top + 7 / 8, left + 7 / 8)
        for top in (0, 1 / 8)
        for left in (0, 1 / 8)
    ),
)


def of_pairs(
    pictures, pairs, *, mirrored: bool = True, quick: bool = True
) -> np.ndarray:
    """How alike the details of two pictures are.

    The correlation of what is left of both when a picture of 6 x 6 pixels is
    taken off, so that a blue sky alone makes no copy, or of their middles, so
    that a frame alone makes none; the largest one over windows of up to an
    eighth less on either side, and over mirror images.

    Args:
        pictures: uint8 array `[pictures, 32, 32]`, grey.
        pairs: int64 array `[pairs, 2]` of their indices.
        mirrored: Whether to compare with mirror images, too.
        quick: Whether pairs that differ at a first look have 0.

    Returns:
        float32 array `[pairs]`: 1 for the same picture, about 0 for two that
        have nothing in common.

    Example:
        >>> import numpy as np
        >>> from tl_keras.auditing import likeness
        >>> rng = np.random.default_rng(0)
        >>> pictures = rng.integers(0, 256, [2, 32, 32], np.uint8)
        >>> pictures[1] = pictures[0, :, ::-1]
        >>> bool(likeness.of_pairs(pictures, np.array([[0, 1]]))[0] > 0.99)
        True
    """
    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    result = np.zeros(len(pairs), np.float32)
    close = np.arange(len(pairs))
    if quick:
        close = np.flatnonzero(_first_look(pictures, pairs, mirrored))
    for start in range(0, len(close), _CHUNK):
        some = close[start : start + _CHUNK]
        first, second = (
            pictures[pairs[some, side]].astype(np.float32) for side in (0, 1)
        )
        result[some] = _compare(first, second, mirrored)
    return result


def _first_look(pictures, pairs, mirrored):
    """Which pairs are alike in what a coarse picture shows."""
    small = np.concatenate(
        [
            resizing.apply(
                pictures[start : start + _CHUNK].astype(np.float32),
                resizing.matrix(pictures.shape[1], _FIRST_SIZE),
            )
            for start in range(0, len(pictures), _CHUNK)
        ]
    )
    small -= small.mean(axis=(1, 2), keepdims=True)
    turns = [small, small[:, :, ::-1]] if mirrored else [small]
    turns = [_unit(turned) for turned in turns]
    alike = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), _LARGE_CHUNK):
        first, second = pairs[start : start + _LARGE_CHUNK].T
        for turned in turns:
            alike[start : start + _LARGE_CHUNK] |= (
                _dot(turns[0][first], turned[second]) >= _FIRST_LIKENESS
            )
    return alike


def _compare(first, second, mirrored):
    best = np.full(len(first), -1.0, np.float32)
    mine = [_details(first, window) for window in _WINDOWS]
    turns = [second, second[:, :, ::-1]] if mirrored else [second]
    for turned in turns:
        theirs = [_details(turned, window) for window in _WINDOWS]
        for a, b in zip(mine, theirs, strict=True):
            best = np.maximum(best, _least(mine[0], b))
            best = np.maximum(best, _least(a, theirs[0]))
    return best


def _least(a, b):
    """How alike two pictures are, or their middles if these are less so."""
    return np.min([_dot(*parts) for parts in zip(a, b, strict=True)], axis=0)


def _details(pictures, window):
    top, left, bottom, right = (
        round(share * pictures.shape[1]) for share in window
    )
    seen = resizing.apply(
        pictures[:, top:bottom, left:right],
        resizing.matrix(bottom - top, _SIZE),
    )
    blur = resizing.matrix(_COARSE, _SIZE) @ resizing.matrix(_SIZE, _COARSE)
    details = seen - resizing.apply(seen, blur)
    return _unit(details), _unit(details[:, _FRAME:-_FRAME, _FRAME:-_FRAME])


def _unit(pictures):
    rows = pictures.reshape(len(pictures), -1)
    # Pictures without any detail, of one colour, are like no other.
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1.0)


def _dot(a, b):
    return np.einsum("ij,ij->i", a, b)
