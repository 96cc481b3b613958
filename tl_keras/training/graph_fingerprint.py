"""What a part of a model computes, as a hash: its layers and their weights."""

import hashlib
import json

import keras
import numpy as np

from tl_keras import graph

# Entries of configs: names, and what matters to training alone.
_SAY_NOTHING = ("name", "trainable", "build_config", "shared_object_id")
# Keras draws some where none is given, anew in each process.
_SEEDS = ("seed",)


def of(part: graph.Flat, *, weights: bool = True) -> str:
    """The fingerprint of a part of a model in inference mode.

    Equal parts have equal ones, whatever their layers are called; another
    layer, setting, connection, weight or dtype gives another one. Code of a
    custom layer is not looked into.

    Args:
        part: A `graph.Flat`.
        weights: Whether the values of weights, and seeds, tell one part from
            another; if not, their shapes and dtypes alone do.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> def model(rate):
        ...     inputs = keras.Input((2,))
        ...     outputs = keras.layers.LeakyReLU(rate)(inputs)
        ...     return keras.Model(inputs, outputs)
        >>> same = [of(graph.flat(model(rate))) for rate in (0.1, 0.1, 0.2)]
        >>> same[0] == same[1], same[0] == same[2]
        (True, False)
    """
    hasher = hashlib.blake2b(digest_size=16)
    numbers = {value: n for n, value in enumerate(part.inputs)}
    for value in part.inputs:
        hasher.update(_form(value))
    operations = {}
    for call in part.calls:
        # An operation that is called twice is described once.
        number = operations.setdefault(id(call.operation), len(operations))
        reads = [numbers[value] for value in call.reads]
        _update(hasher, [number, reads, _plain(call.constants)])
        if number == len(operations) - 1:
            _describe(hasher, call.operation, weights)
        for value in call.writes:
            numbers[value] = len(numbers)
            hasher.update(_form(value))
    _update(hasher, [numbers[value] for value in part.outputs])
    return hasher.hexdigest()


def _describe(hasher, operation, weights):
    kind = type(operation)
    _update(hasher, [f"{kind.__module__}.{kind.__qualname__}"])
    try:
        config = operation.get_config()
    # Keras writes none down where an argument is, say, an array.
    except (NotImplementedError, TypeError):
        config = {k: v for k, v in vars(operation).items() if _says(k, v)}
    names = _SAY_NOTHING if weights else _SAY_NOTHING + _SEEDS
    _update(hasher, _without(_plain(config), names))
    if isinstance(operation, keras.layers.Lambda):
        _update(hasher, _of_function(operation.function))
    # What was adapted is in no config and no weight.
    if hasattr(operation, "get_vocabulary"):
        _update(hasher, _plain(operation.get_vocabulary()))
    for variable in getattr(operation, "variables", ()):
        if variable.name == "seed_generator_state":
            continue  # Nothing is drawn in inference mode.
        if not weights:
            _update(hasher, [variable.dtype, list(variable.shape)])
            continue
        value = np.asarray(variable.numpy())
        _update(hasher, [value.dtype.name, list(value.shape)])
        hasher.update(np.ascontiguousarray(value).view(np.uint8).tobytes())


def _says(name, value) -> bool:
    """Whether an attribute is a setting, and no part of Keras' machinery."""
    return not name.startswith("_") and all(
        one is None
        or isinstance(one, (str, int, float, bool))
        or (hasattr(one, "__array__") and not isinstance(one, keras.Variable))
        for one in keras.tree.flatten(value)
    )


def _of_function(function):
    """Code of a function, and what it took from where it was made."""
    code = getattr(function, "__code__", function)
    cells = getattr(function, "__closure__", None) or ()
    return [
        code.co_code.hex() if hasattr(code, "co_code") else _plain(code),
        list(getattr(code, "co_names", ())),
        [
            _of_function(one) if hasattr(one, "co_code") else _plain(one)
            for one in getattr(code, "co_consts", ())
        ],
        [_plain(cell.cell_contents) for cell in cells],
        _plain(getattr(function, "__defaults__", None)),
    ]


def _form(value) -> bytes:
    return f"{value.tensor.dtype}{value.tensor.shape[1:]}".encode()


def _update(hasher, content):
    hasher.update(json.dumps(content, sort_keys=True).encode())


def _plain(value):
    """A value of a config as JSON knows it."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return [array.dtype.name, list(array.shape), array.tobytes().hex()]
    if hasattr(value, "get_config"):
        return [type(value).__qualname__, _plain(value.get_config())]
    name = getattr(value, "__qualname__", None)
    return name if name is not None else repr(value)


def _without(config, names):
    """A config without what changes no answer in inference mode."""
    if isinstance(config, dict):
        # The name of a policy is all that there is to it.
        if "DTypePolicy" in str(config.get("class_name")):
            return config
        return {
            key: _without(value, names)
            for key, value in config.items()
            if key not in names
        }
    if isinstance(config, list):
        return [_without(value, names) for value in config]
    return config
