"""Masks by magnitude: of many weights, the smallest are masked."""

import tensorflow as tf

# The bits of infinity, read as an integer: those of finite floats are less.
_INFINITY = 0x7F800000


def masks(weights, kept, share, scope: str = "layer") -> list:
    """Masks that leave out the smallest weights, and what was left out.

    Of equal magnitudes the earlier weight is left out. All shapes are static
    and nothing is sorted: the largest magnitude to leave out is found bit by
    bit, which is exact and works within `tf.function` and XLA.

    Args:
        weights: Float tensors of any shapes, not empty.
        kept: Boolean tensors of their shapes: False for weights that have
            been left out before, which come first and stay left out.
        share: Float64 scalar in [0, 1]: which share to leave out, rounded to
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
    pools = [ranks] if scope == "global" else [[rank] for rank in ranks]
    counts = [_share_of(pool, share) for pool in pools]
    limits = tf.unstack(_limits(pools, tf.stack(counts)))
    chosen = [
        left
        for pool, count, limit in zip(pools, counts, limits, strict=True)
        for left in _smallest(pool, count, limit)
    ]
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


def _share_of(ranks, share):
    """How many entries of some vectors a share of them is."""
    size = sum(int(rank.shape[0]) for rank in ranks)
    return tf.cast(tf.round(tf.cast(share, "float64") * size), "int32")


def _limits(pools, counts):
    """For each list of vectors, the rank up to which there are so many.

    All are found by one loop: one for each of a hundred kernels takes long to
    trace.
    """

    def halve(low, high):
        # Their sum may be more than the largest integer.
        middle = low + (high - low) // 2
        found = [
            _count(pool, lambda rank, limit=limit: rank <= limit)
            for pool, limit in zip(pools, tf.unstack(middle), strict=True)
        ]
        enough = tf.stack(found) >= counts
        return (
            tf.where(enough, low, middle + 1),
            tf.where(enough, middle, high),
        )

    low, _ = tf.while_loop(
        lambda low, high: tf.reduce_any(low < high),
        halve,
        (tf.zeros_like(counts), tf.fill(counts.shape, 1 + _INFINITY)),
        parallel_iterations=1,
    )
    return low


def _smallest(ranks, count, limit) -> list:
    """For each of some vectors, where the smallest entries of all are."""
    # Of those that are equal to the limit, as many as are missing.
    missing = count - _count(ranks, lambda rank: rank < limit)
    chosen = []
    for rank in ranks:
        equal = rank == limit
        place = tf.cumsum(tf.cast(equal, "int32"))
        chosen.append((rank < limit) | (equal & (place <= missing)))
        missing -= place[-1]
    return chosen


def _count(ranks, holds):
    return tf.add_n(
        [tf.math.count_nonzero(holds(rank), dtype="int32") for rank in ranks]
    )
