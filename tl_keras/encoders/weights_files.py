"""Weights of an encoder that `encoder.model.save_weights` wrote."""

import os

from tl_keras import checks


def read(model, path: str | os.PathLike, *, name: str):
    """Gives a model the weights of a file, in place.

    Args:
        model: The `keras.Model` of an encoder.
        path: What the user gave as `weights`.
        name: The encoder's name, for the message.

    Raises:
        TypeError: If `path` is no path.
        ValueError: If there is no such file, or it does not fit.
    """
    checks.instance(path, (str, os.PathLike), name="weights")
    path = os.path.expanduser(os.fspath(path))
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(
            f"`weights` does not fit {name}. Got: {path!r}. Expected "
            "'imagenet' (the pretrained ones), None (random ones), or the "
            "path of a `.weights.h5` file that `encoder.model.save_weights` "
            f"wrote for this encoder. Keras says: {error}"
        ) from error
