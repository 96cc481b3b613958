"""The values of variables, copied out and put back."""

import numpy as np


def get(variables) -> list[np.ndarray]:
    """Copies of the values of variables.

    Args:
        variables: `keras.Variable`s.

    Example:
        >>> import keras
        >>> [value] = get([keras.Variable([1.0, 2.0])])
        >>> value.dtype.name, value.tolist()
        ('float32', [1.0, 2.0])
    """
    return [np.asarray(variable.numpy()) for variable in variables]


def put(variables, arrays):
    """Gives variables the values that `get` gave, in place.

    Args:
        variables: `keras.Variable`s.
        arrays: An array for each, of its shape and dtype.

    Raises:
        ValueError: If they do not pair up.
    """
    forms = [(v.dtype, tuple(v.shape)) for v in variables]
    given = [(array.dtype.name, array.shape) for array in arrays]
    if forms != given:
        raise ValueError(
            "A checkpoint does not fit this training. Got: "
            f"{len(given)} arrays, {given[:3]} ... Expected: {len(forms)}, "
            f"{forms[:3]} ... It may be of other versions of Keras or "
            "tl_keras; begin anew by `resume=False` (--overwrite)."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
