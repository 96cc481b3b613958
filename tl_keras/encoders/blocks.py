"""The blocks of a network about which nothing is known but its graph."""

import keras

from tl_keras import graph
from tl_keras.encoders import groups as groups_lib
from tl_keras.encoders import naming

_NORMALISATION = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
)


def groups_of(model) -> dict[str, tuple[str, ...]]:
    """A layer group for each block of a Functional model.

    A block lies between two places where all that comes later depends on one
    tensor: a residual block with its shortcut, an Inception block with its
    branches, a convolution in a plain chain. A normalisation belongs to the
    block in front of it, and blocks whose names begin alike up to a number
    ("block_3_expand", "block_3_project") are one. A nested model is a block;
    of a TF Hub module, each part is one.

    Args:
        model: A Functional `keras.Model`.

    Returns:
        Group name to names of its layers with weights, in graph order. A
        group is named after its first layer.

    Example:
        >>> import keras
        >>> pixels = keras.Input((8, 8, 4))
        >>> stem = keras.layers.Conv2D(4, 3, padding="same", name="stem")
        >>> inner = [
        ...     keras.layers.Conv2D(4, 3, padding="same", name=name)
        ...     for name in ("one", "two")
        ... ]
        >>> features = stem(pixels)
        >>> features = features + inner[1](inner[0](features))
        >>> groups_of(keras.Model(pixels, features))
        {'stem': ('stem',), 'one': ('one', 'two')}
    """
    groups = {}
    for layers in _blocks(model):
        name = naming.up_to_number(layers[0].rpartition("/")[2])
        last = next(reversed(groups), None)
        is_alike = last in (name, *map(naming.up_to_number, layers))
        if last is not None and (is_alike or _is_normalisation(model, layers)):
            groups[last] += tuple(layers)
        else:
            groups[name if name not in groups else layers[0]] = tuple(layers)
    return groups


def _blocks(model):
    """Names of what has weights, block by block."""
    with_weights = groups_lib.layers_with_weights(model)
    for block in _segments(model):
        layers = [n for n in with_weights if n.partition("/")[0] in block]
        if any("/" in name for name in layers):
            yield from ([name] for name in layers)
        elif layers:
            yield layers


def _is_normalisation(model, layers) -> bool:
    return all(
        isinstance(model.get_layer(name.partition("/")[0]), _NORMALISATION)
        for name in layers
    )


def _segments(model) -> list[list[str]]:
    """Operations in graph order, divided where one tensor carries all."""
    inputs = graph.inputs_of(model)
    last_reader = {}
    for place, read in enumerate(inputs.values()):
        for name in read:
            last_reader[name] = place
    segments, segment, open_until = [], [], {}
    for place, name in enumerate(inputs):
        segment.append(name)
        open_until[name] = last_reader.get(name, len(inputs))
        alive = [one for one, last in open_until.items() if last > place]
        if len(alive) <= 1:
            segments.append(segment)
            segment = []
    return [*segments, segment] if segment else segments
