"""Masks by magnitude: of many weights, the smallest are masked."""

import tensorflow as tf

# The bits of infinity, read as an integer: those of finite floats are less.
_INFINITY = 0x7F800000


def masks(weights, kept, shares, scope: str = "layer") -> list:
    """Masks that leave out the smallest weights, and what was left out.

    Of equal magnitudes the earlier weight is left out. All shapes are static
    and nothing is sorted: the largest magnitude to leave out is found bit by
    bit, which is exact, works within `tf.function` and XLA, and for weights
    by the million takes a fraction of the time.

    Args:
        weights: Float tensors of any shapes, not empty.
        kept: Boolean tensors of their shapes: False for weights that have
            been left out before, which come first and stay left out.
        shares: Float64 scalar in [0, 1]: which share to leave out, rounded to
            a whole number of weights.
        scope: `"layer"` for that share of each tensor, `"global"` of all
            together.

    Returns:
        Boolean tensors of the same shapes, False for what is left out.

    Example:
        >>> weights = [tf.constant([[0.3, -0.1], [0.2, -4.0]])]
        >>> [mask] = masks(weights, [tf.ones((2, 2), "bool")], 0.5)
        >>> mask.numpy().tolist()
        [[True, False], [False, True]]
    """
    ranks = [
        _ranks(weight, mask) for weight, mask in zip(weights, kept, strict=True)
    ]
    if scope == "global":
        chosen = _smallest(ranks, shares)
    else:
        chosen = [left for rank in ranks for left in _smallest([rank], shares)]
    return [
        tf.logical_and(mask, ~tf.reshape(left, mask.shape))
        for mask, left in zip(kept, chosen, strict=True)
    ]


def _ranks(weight, mask):
    """Whole numbers in the order of the magnitudes, 0 for what is masked.

    The bits of floats that are not negative, read as integers, are in the
    order of these floats. NaN is as large as infinity.
    """
    bits = tf.bitcast(tf.abs(tf.cast(weight, "float32")), "int32")
    ranks = 1 + tf.minimum(bits, _INFINITY)
    return tf.reshape(tf.where(mask, ranks, 0), [-1])


def _smallest(ranks, share) -> list:
    """For each of some vectors, where the smallest entries of all are."""
    size = sum(int(rank.shape[0]) for rank in ranks)
    count = tf.cast(tf.round(tf.cast(share, "float64") * size), "int32")
    limit = _limit(ranks, count)
    # Of those that are equal to the limit, as many as are missing.
    missing = count - _count(ranks, lambda rank: rank < limit)
    chosen = []
    for rank in ranks:
        equal = rank == limit
        place = tf.cumsum(tf.cast(equal, "int32"))
        chosen.append((rank < limit) | (equal & (place <= missing)))
        missing -= place[-1]
    return chosen


def _limit(ranks, count):
    """The smallest rank up to which there are `count` entries."""

    def halve(low, high):
        # Their sum may be more than the largest integer.
        middle = low + (high - low) // 2
        enough = _count(ranks, lambda rank: rank <= middle) >= count
        return (
            tf.where(enough, low, middle + 1),
            tf.where(enough, middle, high),
        )

    low, _ = tf.while_loop(
        lambda low, high: low < high,
        halve,
        (tf.constant(0), tf.constant(1 + _INFINITY)),
        parallel_iterations=1,
    )
    return low


def _count(ranks, holds):
    return tf.add_n(
        [tf.math.count_nonzero(holds(r), dtype="int32") for r in ranks]
    )
