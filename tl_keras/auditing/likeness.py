"""How alike two pictures are, cropped, shifted or mirrored as they may be."""

import numpy as np
import tensorflow as tf

_SIZE = 24
_COARSE = 6
_CHUNK = 512
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


def of_pairs(pictures, pairs, *, mirrored: bool = True) -> np.ndarray:
    """How alike the details of two pictures are.

    The correlation of what is left of both when a picture of 6 x 6 pixels is
    taken off, so that a blue sky alone makes no copy; the largest one over
    windows of up to an eighth less on either side, and over mirror images.

    Args:
        pictures: uint8 array `[pictures, 32, 32, 3]`.
        pairs: int64 array `[pairs, 2]` of their indices.
        mirrored: Whether to compare with mirror images, too.

    Returns:
        float32 array `[pairs]`: 1 for the same picture, about 0 for two that
        have nothing in common. Pairs that differ at a first look have 0.

    Example:
        >>> import numpy as np
        >>> from tl_keras.auditing import likeness
        >>> rng = np.random.default_rng(0)
        >>> pictures = rng.integers(0, 256, [2, 32, 32, 3], np.uint8)
        >>> pictures[1] = pictures[0, :, ::-1]
        >>> likeness.of_pairs(pictures, np.array([[0, 1]])).round(3).tolist()
        [1.0]
    """
    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    result = np.zeros(len(pairs), np.float32)
    compare = tf.function(_compare, reduce_retracing=True)
    look = tf.function(_first_look, reduce_retracing=True)

    def apply(function, chosen):
        for start in range(0, len(chosen), _CHUNK):
            some = chosen[start : start + _CHUNK]
            first, second = (pictures[pairs[some, side]] for side in (0, 1))
            result[some] = function(first, second, mirrored)

    apply(look, np.arange(len(pairs)))
    close = np.flatnonzero(result >= _FIRST_LIKENESS)
    result[result < _FIRST_LIKENESS] = 0
    apply(compare, close)
    return result


def _first_look(first, second, mirrored):
    first, second = tf.cast(first, tf.float32), tf.cast(second, tf.float32)
    candidates = [second, tf.reverse(second, [2])] if mirrored else [second]
    whole = _unit(_resized(first, _FIRST_SIZE), centred=True)
    return tf.reduce_max(
        [
            _dot(whole, _unit(_resized(other, _FIRST_SIZE), centred=True))
            for other in candidates
        ],
        axis=0,
    )


def _compare(first, second, mirrored):
    first, second = tf.cast(first, tf.float32), tf.cast(second, tf.float32)
    best = tf.fill([tf.shape(first)[0]], -1.0)
    mine = [_details(first, window) for window in _WINDOWS]
    turns = [second, tf.reverse(second, [2])] if mirrored else [second]
    for turned in turns:
        theirs = [_details(turned, window) for window in _WINDOWS]
        for a, b in zip(mine, theirs, strict=True):
            best = tf.maximum(best, _dot(mine[0], b))
            best = tf.maximum(best, _dot(a, theirs[0]))
    return best


def _details(pictures, window):
    top, left, bottom, right = (
        round(share * pictures.shape[1]) for share in window
    )
    seen = _resized(pictures[:, top:bottom, left:right], _SIZE)
    coarse = _resized(_resized(seen, _COARSE), _SIZE)
    return _unit(seen - coarse)


def _unit(pictures, centred=False):
    flat = tf.reshape(pictures, [tf.shape(pictures)[0], -1])
    if centred:
        flat -= tf.reduce_mean(flat, axis=1, keepdims=True)
    # Pictures without any detail, of one colour, are like no other.
    return flat / (tf.norm(flat, axis=1, keepdims=True) + 1.0)


def _dot(a, b):
    return tf.reduce_sum(a * b, axis=1)


def _resized(pictures, size):
    return tf.image.resize(pictures, [size, size], antialias=True)
