"""Which kernels are pruned in a phase, or keep the zeros of earlier ones."""

import dataclasses

import keras

from tl_keras import graph
from tl_keras.tuning import freezing
from tl_keras.tuning import kernels

_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
# Of weights in modules the name is all there is to tell by.
_LEFT_DENSE = ("depthwise", "embedding")


@dataclasses.dataclass(frozen=True)
class Masked:
    """The kernels of a phase in which zeros stay.

    Attributes:
        kernels: `keras.Variable`s.
        earlier: Ids of those that an earlier phase of the plan has pruned.
    """

    kernels: tuple = ()
    earlier: frozenset = frozenset()


def masked(phases, groups) -> dict[str, Masked]:
    """The kernels in which zeros stay, in each phase of a plan.

    Args:
        phases: The `Phase`s of a plan, in order.
        groups: The `LayerGroups` of a model.

    Returns:
        Name of each phase to its `Masked`.

    Raises:
        ValueError: If a phase has nothing to prune, or moves what is pruned
            by adapters.

    Example:
        >>> from tl_keras.tuning import Phase, Pruning
        >>> from tl_keras.tuning import groups
        >>> layers = [keras.layers.Dense(2), keras.layers.Dense(1)]
        >>> model = keras.Sequential([keras.Input((3,)), *layers])
        >>> named = {"body": layers[:1], "head": layers[1:]}
        >>> phases = [
        ...     Phase(name="a", train="head", pruning=Pruning(0.5)),
        ...     Phase(name="b"),
        ... ]
        >>> found = masked(phases, groups.resolve(model, named))
        >>> [len(part.kernels) for part in found.values()]
        [1, 1]
    """
    found, pruned = {}, set()
    for phase in phases:
        if phase.pruning is None and not pruned:
            found[phase.name] = Masked()
            continue
        trained = freezing.choose(phase, groups)
        held = [w for w in trained.weights if id(w) in pruned]
        if phase.pruning is not None:
            dense = _left_dense(phase, groups)
            held = [w for w in trained.weights if _is_pruned(w, dense)]
            if not held:
                raise ValueError(_nothing_to_prune(phase, trained))
        _check_adapters(phase, trained, held)
        earlier = frozenset(id(w) for w in held if id(w) in pruned)
        found[phase.name] = Masked(tuple(held), earlier)
        pruned.update(map(id, held))
    return found


def _is_pruned(weight, dense) -> bool:
    return (
        kernels.is_kernel(weight)
        and keras.backend.is_float_dtype(weight.dtype)
        and id(weight) not in dense
        and not any(word in weight.name for word in _LEFT_DENSE)
    )


def _left_dense(phase, groups) -> set[int]:
    """Ids of the kernels of depthwise layers."""
    return {
        id(layer.kernel)
        for group in phase.groups(groups.names)
        for member in groups.members[group]
        for layer in graph.layers_within(member.operation)
        if isinstance(layer, _DEPTHWISE) or _has_a_group_a_channel(layer)
    }


def _has_a_group_a_channel(layer) -> bool:
    # ConvNeXt's depthwise convolutions are ordinary ones in groups.
    return getattr(layer, "groups", 1) != 1 and layer.kernel.shape[-2] == 1


def _nothing_to_prune(phase, trained) -> str:
    held = [f"{w.path} {tuple(w.shape)}" for w in trained.weights]
    return (
        f"`pruning` of phase {phase.name!r} finds nothing to prune. Got: "
        f"groups that train {', '.join(held)}. Expected a kernel that is no "
        "depthwise one and no table of embeddings: train other groups, or "
        "leave `pruning` out."
    )


def _check_adapters(phase, trained, held):
    adapted = {id(weight) for weight in trained.adapted}
    both = [weight.path for weight in held if id(weight) in adapted]
    if both:
        raise ValueError(
            f"Phase {phase.name!r} moves by adapters what an earlier phase "
            f"has pruned, and products of adapters keep no zeros. Got: {both}. "
            "Leave `lora_rank` out there, or prune in the last phase."
        )
