"""Cuts a model's graph in two: what comes first, and the rest."""

import inspect
import math

import keras
import tensorflow as tf

from tl_keras import graph


def split(whole: graph.Flat, values) -> tuple[graph.Flat, graph.Flat]:
    """A graph as two, of which the second takes what the first gives.

    Args:
        whole: A `graph.Flat`.
        values: Those of its values at which to cut. Every way from an input
            to an output has to lead through one of them.

    Example:
        >>> layers = [keras.layers.ReLU(name="a"), keras.layers.ReLU(name="b")]
        >>> whole = graph.flat(keras.Sequential([keras.Input((2,)), *layers]))
        >>> first, rest = split(whole, whole.calls[0].writes)
        >>> [call.operation.name for call in rest.calls]
        ['b']
    """
    values = tuple(values)
    return (
        between(whole, whole.inputs, values),
        between(whole, values, whole.outputs),
    )


def between(whole: graph.Flat, given, wanted) -> graph.Flat | None:
    """What leads from some values of a graph to others.

    Args:
        whole: A `graph.Flat`.
        given: Values that are known.
        wanted: Values to compute, each of which comes after or is one of
            `given`.

    Returns:
        A `graph.Flat`, or None if more has to be known.
    """
    calls = _needed(whole.calls, given, wanted)
    known = {*given, *(value for call in calls for value in call.writes)}
    if not known.issuperset([*wanted, *(v for c in calls for v in c.reads)]):
        return None
    return graph.Flat(tuple(given), calls, tuple(wanted))


def behind_strings(whole: graph.Flat) -> tuple[graph.Value, ...]:
    """Where no string is left of what a model takes.

    Args:
        whole: A `graph.Flat`.

    Returns:
        The values at which to cut. Empty if the model takes no strings, or if
        what reads them has weights, or gives an output.

    Example:
        >>> texts = keras.Input((), dtype="string")
        >>> numbers = keras.layers.Hashing(9)(texts)
        >>> rows = keras.layers.Embedding(9, 2)(numbers)
        >>> whole = graph.flat(keras.Model(texts, rows))
        >>> [value.tensor.dtype for value in behind_strings(whole)]
        ['int64']
    """
    inside = [
        call
        for call in whole.calls
        if any(v.tensor.dtype == "string" for v in (*call.reads, *call.writes))
    ]
    if any(getattr(call.operation, "weights", ()) for call in inside):
        return ()
    made = {value for call in inside for value in call.writes}
    if not inside or made & set(whole.outputs):
        return ()
    made.update(whole.inputs)
    return _crossing(whole, made, [c for c in whole.calls if c not in inside])


def behind_frozen(whole: graph.Flat, moves) -> tuple[graph.Value, ...]:
    """Where to cut behind what rests, so that little has to be kept.

    All that rests and depends on nothing that moves could be in front. Of
    the cuts that differ from this one only by layers without kernels, which
    cost next to nothing to compute again, it is the one with the fewest bytes
    an example.

    Args:
        whole: A `graph.Flat`.
        moves: From an operation to whether its weights or its behaviour
            change.

    Returns:
        The values at which to cut, in graph order. Empty if nothing with
        weights would be in front, or if what crosses has no fixed size.

    Example:
        >>> hidden, head = keras.layers.Dense(2), keras.layers.Dense(1)
        >>> layers = [keras.Input((3,)), hidden, head]
        >>> whole = graph.flat(keras.Sequential(layers))
        >>> cut = behind_frozen(whole, lambda operation: operation is head)
        >>> [tuple(value.tensor.shape) for value in cut]
        [(None, 2)]
    """
    moving, resting, rest = set(), [], []
    for call in whole.calls:
        if moves(call.operation) or moving.intersection(call.reads):
            moving.update(call.writes)
            rest.append(call)
        else:
            resting.append(call)
    best, fewest = (), math.inf
    while any(getattr(c.operation, "weights", ()) for c in resting):
        made = {v for call in resting for v in call.writes}
        crossing = _crossing(whole, made.union(whole.inputs), rest)
        size = bytes_per_example(crossing)
        if size < fewest:
            best, fewest = crossing, size
        last = resting.pop()
        rest.append(last)
        if _has_kernel(last.operation) and best:
            break
    return best


def is_inert(operation) -> bool:
    """Whether training mode changes nothing about an operation.

    True for Keras' own operations and layers without weights, penalties and
    randomness; what others do is not known.

    Example:
        >>> is_inert(keras.layers.ReLU()), is_inert(keras.layers.Dropout(0.5))
        (True, False)
    """
    if not type(operation).__module__.startswith("keras."):
        return False
    if not isinstance(operation, keras.layers.Layer):
        return True
    return not (
        graph.layers_within(operation)[1:]
        or operation.variables
        or operation.activity_regularizer is not None
        or "training" in inspect.signature(operation.call).parameters
    )


def bytes_per_example(values) -> float:
    """What values take for one example; infinite where that is not fixed.

    A mask that Keras hands along with a tensor is no tensor of its own, and
    would be lost at a cut.
    """
    total = 0
    for value in values:
        shape = value.tensor.shape[1:]
        if value.has_mask or value.tensor.dtype == "string" or None in shape:
            return math.inf
        total += math.prod(shape) * tf.as_dtype(value.tensor.dtype).size
    return total


def _has_kernel(operation) -> bool:
    return any(len(w.shape) > 1 for w in getattr(operation, "weights", ()))


def _crossing(whole: graph.Flat, made, rest) -> tuple:
    """The values among `made` that others read, in graph order."""
    read = {v for call in rest for v in call.reads} | set(whole.outputs)
    values = [*whole.inputs, *(v for c in whole.calls for v in c.writes)]
    return tuple(v for v in values if v in made and v in read)


def _needed(calls, given, wanted) -> tuple:
    """The calls between given and wanted values, in order."""
    wanted, chosen = set(wanted) - set(given), []
    for call in reversed(calls):
        if wanted.intersection(call.writes):
            chosen.append(call)
            wanted.update(set(call.reads) - set(given))
    return tuple(reversed(chosen))
