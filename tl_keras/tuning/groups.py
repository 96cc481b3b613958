"""Which layer group each operation of a model belongs to."""

import dataclasses

import keras

from tl_keras import graph


@dataclasses.dataclass(frozen=True)
class LayerGroups:
    """The layer groups of a model, resolved to operations.

    Attributes:
        names: Group names in graph order.
        members: Group name to its operations in graph order. An operation
            without weights belongs to the last group among its producers.
    """

    names: tuple[str, ...]
    members: dict[str, tuple]


def resolve(model, groups=None) -> LayerGroups:
    """Finds the layer groups of a model.

    Args:
        model: A Functional or Sequential `keras.Model`.
        groups: Group name to its layers, in graph order. Layers are given as
            objects or by name; a nested model stands for all its layers.
            None makes one group named `"model"` of all layers.

    Returns:
        The `LayerGroups`.

    Raises:
        ValueError: If a layer with weights is in no group or in two, a name
            is unknown, or the groups are not in graph order.

    Example:
        >>> import keras
        >>> first, second = keras.layers.Dense(2), keras.layers.Dense(1)
        >>> model = keras.Sequential([keras.Input((3,)), first, second])
        >>> resolve(model, {"body": [first], "head": [second]}).names
        ('body', 'head')
    """
    listed = graph.operations(model)
    if groups is None:
        groups = {"model": [op for op, _ in listed if _has_weights(op)]}
    names = tuple(groups)
    owner = _owners(model, groups, listed)
    missing = [
        operation.name
        for operation, _ in listed
        if _has_weights(operation) and id(operation) not in owner
    ]
    if missing:
        raise ValueError(
            f"Layers with weights are in no group. Got groups: {names}. Not "
            f"covered: {missing}. Add each to the group it trains with."
        )
    members = {name: [] for name in names}
    placed = {}
    for operation, producers in listed:
        before = max((placed[id(p)] for p in producers), default=0)
        place = owner.get(id(operation), before)
        if place < before:
            raise ValueError(
                f"Groups are not in graph order: layer {operation.name!r} of "
                f"group {names[place]!r} takes the output of group "
                f"{names[before]!r}. List the groups from input to output."
            )
        if id(operation) not in placed:
            members[names[place]].append(operation)
        placed[id(operation)] = place
    return LayerGroups(names, {k: tuple(v) for k, v in members.items()})


def _has_weights(operation) -> bool:
    return bool(getattr(operation, "weights", ()))


def _owners(model, groups, listed) -> dict[int, int]:
    """From the id of each grouped operation to the index of its group."""
    by_name = {operation.name: operation for operation, _ in listed}
    for layer in graph.functional(model).layers:
        by_name.setdefault(layer.name, layer)
    owner = {}
    for place, (group, layers) in enumerate(groups.items()):
        for layer in layers:
            if isinstance(layer, str):
                if layer not in by_name:
                    raise ValueError(
                        f"Group {group!r} names a layer that the model does "
                        f"not have. Got: {layer!r}. The model's layers: "
                        f"{list(by_name)}."
                    )
                layer = by_name[layer]
            for operation in _leaves(layer):
                if owner.setdefault(id(operation), place) != place:
                    raise ValueError(
                        f"Layer {operation.name!r} is in two groups: "
                        f"{list(groups)[owner[id(operation)]]!r} and "
                        f"{group!r}. Leave it in one."
                    )
    known = {id(operation) for operation, _ in listed}
    strangers = set(owner) - known
    if strangers:
        raise ValueError(
            "`groups` holds layers that are not part of the model: "
            f"{_names_of(strangers, groups)}. Take them from `model.layers`."
        )
    return owner


def _leaves(layer) -> list:
    """A layer, or the operations inside of a nested model."""
    inner = graph.opened(layer)
    if isinstance(inner, keras.Model) and graph.is_functional(inner):
        return [operation for operation, _ in graph.operations(inner)]
    return [layer]


def _names_of(ids, groups) -> list[str]:
    return [
        operation.name
        for layers in groups.values()
        for layer in layers
        if not isinstance(layer, str)
        for operation in _leaves(layer)
        if id(operation) in ids
    ]
