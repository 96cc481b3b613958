"""What of a model trains in a phase; the rest is frozen."""

import dataclasses

import keras

from tl_keras import graph
from tl_keras.tuning import lora


@dataclasses.dataclass(frozen=True)
class Trained:
    """What trains in a phase.

    Attributes:
        operations: What runs in training mode; all others run in inference
            mode.
        weights: The weights that move, each once.
        adapted: Those of them that move by adapters.
    """

    operations: tuple
    weights: tuple
    adapted: tuple


def choose(phase, groups) -> Trained:
    """What of a model trains in a phase.

    In groups that train, all the same frozen are layers with
    `trainable=False`, BatchNormalization that is to run in inference mode,
    and, with adapters, what in the encoder no adapter fits.

    Args:
        phase: A `Phase`.
        groups: The `LayerGroups` of a model; the last is the head.

    Returns:
        A `Trained`.

    Raises:
        ValueError: If nothing trains, or something that is to train or to
            rest cannot.

    Example:
        >>> import keras
        >>> from tl_keras.tuning import Phase
        >>> from tl_keras.tuning import groups
        >>> layers = [keras.layers.Dense(2), keras.layers.Dense(1)]
        >>> model = keras.Sequential([keras.Input((3,)), *layers])
        >>> named = {"body": layers[:1], "head": layers[1:]}
        >>> phase = Phase(name="a", train="head")
        >>> trained = choose(phase, groups.resolve(model, named))
        >>> [tuple(weight.shape) for weight in trained.weights]
        [(2, 1), (1,)]
    """
    trained_groups = phase.groups(groups.names)
    # A module some parts of which are frozen runs frozen.
    in_part = {
        id(member.operation)
        for group in groups.names
        if group not in trained_groups
        for member in groups.members[group]
    }
    operations, weights, adapted = [], [], []
    for group in trained_groups:
        adapts = phase.lora_rank is not None and group != groups.names[-1]
        norms_rest = adapts or phase.batch_norm == "inference"
        for member in groups.members[group]:
            operation = member.operation
            _check_module(phase, group, member)
            if norms_rest:
                _check_norms_within(phase, group, operation)
            if _stays_frozen(operation, norms_rest):
                continue
            moved = member.trainable_weights
            if adapts:
                moved = [w for w in moved if lora.can_adapt(w, phase.lora_rank)]
                adapted += moved
            weights += moved
            # A module's own BatchNormalization is out of reach: where it is
            # not to see the batch, the module runs in inference mode, and the
            # weights of what trains move all the same.
            runs_frozen = norms_rest and graph.parts_of(operation)
            if id(operation) not in in_part and not runs_frozen:
                operations.append(operation)
    if phase.lora_rank is not None and not adapted:
        raise ValueError(_why_not_adapted(phase, groups))
    if not weights:
        raise ValueError(
            f"Nothing trains in phase {phase.name!r}: its groups "
            f"{trained_groups} have no trainable weights. Layers with "
            "`trainable=False` stay frozen."
        )
    return Trained(tuple(operations), _distinct(weights), _distinct(adapted))


def _check_module(phase, group, member):
    reason = getattr(member.operation, "frozen_because", None)
    if reason and member.weights:
        raise ValueError(
            f"Phase {phase.name!r} trains the group {group!r}, whose module "
            f"{member.operation.name!r} cannot: {reason}. Train other groups: "
            "with the plan `linear_probe` the head alone."
        )


def _check_norms_within(phase, group, operation):
    if isinstance(operation, keras.layers.BatchNormalization):
        return
    if any(
        isinstance(layer, keras.layers.BatchNormalization)
        for layer in graph.layers_within(operation)
    ):
        raise ValueError(
            f"Phase {phase.name!r} keeps BatchNormalization in inference "
            f"mode, but layer {operation.name!r} of group {group!r} calls one "
            "inside of itself, out of reach. Freeze that group, or train "
            "with `batch_norm='train'` and without `lora_rank`."
        )


def _stays_frozen(operation, norms_rest: bool) -> bool:
    if not getattr(operation, "trainable", True):
        return True
    return norms_rest and isinstance(operation, keras.layers.BatchNormalization)


def _why_not_adapted(phase, groups) -> str:
    trained_groups = phase.groups(groups.names)
    held = [
        f"{weight.path} {tuple(weight.shape)}"
        for group in trained_groups
        if group != groups.names[-1]
        for member in groups.members[group]
        for weight in member.trainable_weights
    ]
    return (
        f"`lora_rank` of phase {phase.name!r} fits nothing. Got: rank "
        f"{phase.lora_rank} and groups {trained_groups}, which hold of the "
        "encoder (every group but the last): "
        f"{', '.join(held) or 'nothing that trains'}. Expected a kernel "
        "without constraint that has more entries than its adapter: lower "
        "`lora_rank`, train other groups, or leave `lora_rank` out."
    )


def _distinct(weights) -> tuple:
    return tuple({id(weight): weight for weight in weights}.values())
