"""A model whose graph shows every layer that should train or rest alone."""

import collections

import keras
import numpy as np

from tl_keras import graph
from tl_keras.encoders import rebuilding


def flatten(model) -> keras.Model:
    """The model as one flat graph of the same layers.

    Nested models are opened. So are layers that are nothing but other layers,
    if they run several blocks or call a BatchNormalization, where `fit` could
    neither freeze one block and train the next nor keep the statistics still;
    or if they cannot be rebuilt from their config. Each is tried on random
    numbers first, and left as it is where its layers alone answer otherwise.

    Args:
        model: A Functional `keras.Model`. It shares its layers with the
            result; those inside of opened layers are renamed, with the name
            of the layer they were in as a prefix.

    Returns:
        A Functional `keras.Model` with the same inputs and outputs.

    Raises:
        ValueError: If a layer can be neither opened nor rebuilt.

    Example:
        >>> inputs = keras.Input((4,))
        >>> inner = keras.Sequential([keras.layers.Dense(2, name="dense")])
        >>> model = flatten(keras.Model(inputs, inner(inputs)))
        >>> [layer.name for layer in model.layers][1:]
        ['dense']
    """
    flattening = _Flattening()
    try:
        while True:
            before = flattening.seen()
            flattening.start()
            outputs = graph.run(model, model.input, flattening)
            model = keras.Model(model.input, outputs, name=model.name)
            # What was inside of an opened layer comes along the next time.
            if flattening.seen() == before:
                return model
    # Layers of others, called in a way that their authors may not have tried.
    except Exception as error:
        raise ValueError(
            f"The layers of {model.name!r} cannot be taken out of the model "
            f"they were written for. {type(error).__name__}: {error}"
        ) from error


def replay(model, inputs):
    """A model's outputs for other inputs, by the same layers, call by call.

    Args:
        model: A Functional `keras.Model`.
        inputs: Keras tensors, in the structure that `model` takes.
    """
    return graph.run(
        model, inputs, lambda layer, *args, **kwargs: layer(*args, **kwargs)
    )


class _Flattening:
    """Calls operations, or the layers inside of them."""

    def __init__(self):
        # Id of an operation to itself, which keeps the id from being given
        # away, and to what takes its place; None if it is to be opened.
        self._decided = {}
        self._calls = collections.Counter()

    def start(self):
        """Begins another walk through the graph."""
        self._calls.clear()

    def seen(self) -> int:
        """How many operations there were up to now."""
        return len(self._decided)

    def __call__(self, operation, *args, **kwargs):
        inner = graph.opened(operation)
        if graph.is_functional(inner):
            return graph.run(inner, args[0], self)
        calls = self._calls[id(operation)] = self._calls[id(operation)] + 1
        if calls > 1:
            operation = _for_another_call(operation, calls)
        if id(operation) not in self._decided:
            self._decide(operation, args, kwargs)
        _, place_taker = self._decided[id(operation)]
        if place_taker is None:
            return operation.call(*args, **kwargs)
        return place_taker(*args, **kwargs)

    def _decide(self, operation, args, kwargs):
        place_taker = None
        if not (
            _is_worth_opening(operation) and _opens(operation, args, kwargs)
        ):
            place_taker = rebuilding.rebuildable(operation)
            self._decided[id(place_taker)] = (place_taker, place_taker)
        self._decided[id(operation)] = (operation, place_taker)


def _for_another_call(operation, number):
    """A layer like it for one more call, unless the two share weights.

    One Dropout that is called in two places would make a loop of the graph.
    """
    if not isinstance(operation, keras.layers.Layer) or operation.weights:
        return operation
    return rebuilding.another(operation, name=f"{operation.name}_{number}")


def _is_worth_opening(operation) -> bool:
    inner = graph.layers_within(operation)[1:]
    if not inner or rebuilding.is_stock(operation):
        return False
    in_layers = {id(weight) for layer in inner for weight in layer.weights}
    if any(id(weight) not in in_layers for weight in operation.weights):
        return False
    blocks = [
        type(layer)
        for layer in inner
        if layer.weights and not rebuilding.is_stock(layer)
    ]
    return (
        len(blocks) > len(set(blocks))
        or any(isinstance(i, keras.layers.BatchNormalization) for i in inner)
        or not rebuilding.can_rebuild(operation)
    )


def _opens(layer, args, kwargs) -> bool:
    """Whether the layers inside of a layer answer as it does."""
    for inner in _children(layer):
        if not inner.name.startswith(layer.name):
            inner.name = f"{layer.name}_{inner.name}"
    symbols, numbers = [], []
    rng = np.random.default_rng(0)

    def replace(tensor):
        """Notes an input of its kind and numbers for it."""
        if not isinstance(tensor, keras.KerasTensor):
            return tensor
        shape = [2 if size is None else size for size in tensor.shape]
        numbers.append(keras.ops.cast(rng.uniform(size=shape), tensor.dtype))
        symbols.append(
            keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)
        )
        return symbols[-1]

    args, kwargs = keras.tree.map_structure(replace, (args, kwargs))
    try:
        closed = keras.Model(symbols, layer(*args, **kwargs))
        open_ = keras.Model(symbols, layer.call(*args, **kwargs))
        pairs = zip(
            keras.tree.flatten(closed(numbers)),
            keras.tree.flatten(open_(numbers)),
            strict=True,
        )
        return all(np.allclose(one, other, atol=1e-5) for one, other in pairs)
    # Whatever a `call` does that needs real tensors or a known batch.
    except Exception:
        return False


def _children(layer) -> list:
    """The layers that are attributes of a layer, or in a list of it."""
    found = {}
    for value in vars(layer).values():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, keras.layers.Layer):
                found[id(one)] = one
    return list(found.values())
