"""Which weights are kernels: what is no bias and no scale."""


def is_kernel(weight) -> bool:
    """Whether a weight mixes features, or is a table of them.

    Biases and the gamma and beta of every normalisation are vectors, and so
    are the learned scales of a layer or block. Only the biases of attention
    have an axis more, for its heads; their name tells.

    Args:
        weight: A `keras.Variable`.

    Example:
        >>> import keras
        >>> layer = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3)
        >>> layer.build((None, 4, 6), (None, 4, 6))
        >>> [(tuple(w.shape), is_kernel(w)) for w in layer.weights[:2]]
        [((6, 2, 3), True), ((2, 3), False)]
    """
    return len(weight.shape) > 1 and not weight.name.endswith("bias")
