"""A model with meaningless weights, to see whether an explanation notices."""

import contextlib

import numpy as np


@contextlib.contextmanager
def shuffled_weights(model, seed: int = 0):
    """Shuffles the numbers within each weight, in place, for a while.

    What a model has learned is gone, while the size of its weights stays, so
    that no activation dies or overflows. Works for a model of any layers, TF
    Hub modules too, and costs no second model. On the way out the weights are
    what they were, after an error too.

    Args:
        model: A built `keras.Model`.
        seed: Of the order.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((9,)), keras.layers.Dense(9)])
        >>> before = model.get_weights()[0]
        >>> with shuffled_weights(model):
        ...     kernel = model.get_weights()[0]
        >>> bool((kernel == before).all())
        False
        >>> bool(np.allclose(np.sort(kernel, None), np.sort(before, None)))
        True
        >>> bool((model.get_weights()[0] == before).all())
        True

    Reference:
        Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018,
        https://arxiv.org/abs/1810.03292 (there, weights are drawn anew).
    """
    weights = {id(weight): weight for weight in model.weights}.values()
    weights = [w for w in weights if w.dtype.startswith(("float", "bfloat"))]
    before = [np.array(weight) for weight in weights]
    try:
        for index, (weight, values) in enumerate(
            zip(weights, before, strict=True)
        ):
            rng = np.random.default_rng([seed, index])
            shuffled = rng.permutation(values.reshape(-1))
            weight.assign(shuffled.reshape(values.shape))
        yield
    finally:
        for weight, values in zip(weights, before, strict=True):
            weight.assign(values)
