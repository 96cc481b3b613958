"""Which layer group each operation and each weight of a model belongs to."""

import dataclasses

import keras

from tl_keras import graph


@dataclasses.dataclass(frozen=True)
class Member:
    """What a layer group has of one operation.

    Attributes:
        operation: A layer, or an operation without weights.
        weights: The operation's weights in this group: all it has, or those
            of one part of a layer that holds a whole network.
    """

    operation: object
    weights: tuple

    @property
    def trainable_weights(self) -> list:
        """Those of the weights that the operation would train."""
        return [weight for weight in self.weights if weight.trainable]


@dataclasses.dataclass(frozen=True)
class LayerGroups:
    """The layer groups of a model, resolved to operations and weights.

    Attributes:
        names: Group names in graph order.
        members: Group name to its members in graph order. An operation
            without weights belongs to the last group among its producers; a
            layer in parts is a member of each group that has one of them.
    """

    names: tuple[str, ...]
    members: dict[str, tuple[Member, ...]]


def resolve(model, groups=None) -> LayerGroups:
    """Finds the layer groups of a model.

    Args:
        model: A Functional or Sequential `keras.Model`.
        groups: Group name to its layers, in graph order. Layers are given as
            objects or by name; a nested model stands for all its layers. A
            part of a layer that has parts is named "LAYER/PART".
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
    _check_covered(names, owner, listed)
    members = {name: [] for name in names}
    placed = {}
    for operation, producers in listed:
        before = max((placed[id(p)] for p in producers), default=0)
        places = sorted(
            {
                owner[id(operation), part]
                for part in _parts(operation)
                if (id(operation), part) in owner
            }
        ) or [before]
        if places[0] < before:
            raise ValueError(
                f"Groups are not in graph order: layer {operation.name!r} of "
                f"group {names[places[0]]!r} takes the output of group "
                f"{names[before]!r}. List the groups from input to output."
            )
        if id(operation) not in placed:
            for place in places:
                weights = [
                    weight
                    for part, weights in _parts(operation).items()
                    if owner.get((id(operation), part), place) == place
                    for weight in weights
                ]
                members[names[place]].append(Member(operation, tuple(weights)))
        placed[id(operation)] = places[-1]
    return LayerGroups(names, {k: tuple(v) for k, v in members.items()})


def _parts(operation) -> dict:
    """Part name to weights; None names the whole of an ordinary operation."""
    weights = list(getattr(operation, "weights", ()))
    return graph.parts_of(operation) or {None: weights}


def _has_weights(operation) -> bool:
    return bool(getattr(operation, "weights", ()))


def _check_covered(names, owner, listed):
    missing = [
        operation.name if part is None else f"{operation.name}/{part}"
        for operation, _ in listed
        if _has_weights(operation)
        for part in _parts(operation)
        if (id(operation), part) not in owner
    ]
    if missing:
        raise ValueError(
            f"Layers with weights are in no group. Got groups: {names}. Not "
            f"covered: {missing}. Add each to the group it trains with."
        )


def _owners(model, groups, listed) -> dict[tuple, int]:
    """From the id and part of each grouped operation to its group's index."""
    by_name = {operation.name: operation for operation, _ in listed}
    for layer in graph.functional(model).layers:
        by_name.setdefault(layer.name, layer)
    owner = {}
    for place, (group, layers) in enumerate(groups.items()):
        for entry in layers:
            for operation, part in _named(entry, by_name, group):
                if owner.setdefault((id(operation), part), place) != place:
                    other = list(groups)[owner[id(operation), part]]
                    raise ValueError(
                        f"Layer {operation.name!r} is in two groups: "
                        f"{other!r} and {group!r}. Leave it in one."
                    )
    known = {id(operation) for operation, _ in listed}
    strangers = {key for key, _ in owner} - known
    if strangers:
        raise ValueError(
            "`groups` holds layers that are not part of the model: "
            f"{_names_of(strangers, groups)}. Take them from `model.layers`."
        )
    return owner


def _named(entry, by_name, group) -> list[tuple]:
    """The operations, each with its part, that an entry of a group means."""
    name, slash, part = entry, "", ""
    if isinstance(entry, str) and entry not in by_name:
        name, slash, part = entry.partition("/")
    layer = by_name.get(name) if isinstance(name, str) else name
    known = layer is not None and (not slash or part in graph.parts_of(layer))
    if not known:
        listed = [
            f"{other}/{part}" if part else other
            for other, operation in by_name.items()
            for part in graph.parts_of(operation) or [None]
        ]
        raise ValueError(
            f"Group {group!r} names a layer that the model does not have. "
            f"Got: {entry!r}. The model's layers: {listed}."
        )
    if slash:
        return [(layer, part)]
    return [(leaf, part) for leaf in _leaves(layer) for part in _parts(leaf)]


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
