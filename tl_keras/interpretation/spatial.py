"""Where in a model there is still a map of the image."""

import dataclasses
import math

from tl_keras import checks
from tl_keras import graph

# A transformer may put a token for the class in front, and another one.
_MOST_EXTRA_TOKENS = 2
_MOST_NAMES_SHOWN = 12


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """A value whose positions are places of the image.

    Attributes:
        name: Name of the operation that makes it.
        value: The `graph.Value`, `[batch, height, width, channels]`, or
            tokens `[batch, extra + height * width, channels]`.
        height: Number of rows.
        width: Number of columns.
        extra: Number of tokens in front that are no place of the image.
    """

    name: str
    value: graph.Value
    height: int
    width: int
    extra: int = 0


def places(whole: graph.Flat) -> list[Place]:
    """All places behind the first weights of a graph, in its order.

    Args:
        whole: A `graph.Flat` from images.

    Returns:
        Maps of more than one position; and, behind the patches of a vision
        transformer, its sequences of tokens.

    Example:
        >>> import keras
        >>> pixels = keras.Input((8, 8, 3))
        >>> hidden = keras.layers.Conv2D(2, 3, name="conv")(pixels)
        >>> hidden = keras.layers.GlobalAveragePooling2D()(hidden)
        >>> model = keras.Model(pixels, hidden)
        >>> [(place.name, place.height) for place in places(graph.flat(model))]
        [('conv', 6)]
    """
    found, behind_weights, grid = [], set(), None
    for call in whole.calls:
        has_weights = bool(getattr(call.operation, "weights", ()))
        if not has_weights and not behind_weights.intersection(call.reads):
            continue
        behind_weights.update(call.writes)
        for value in call.writes:
            place = _place(call.operation.name, value, grid)
            if place is not None:
                found.append(place)
                grid = (place.height, place.width)
    return found


def find(whole: graph.Flat, name: str | None) -> Place:
    """The place that an operation makes, or the last one.

    Args:
        whole: A `graph.Flat` from images.
        name: Name of an operation, nested models included; of several with
            that name, the last one is meant. None: the last place of all.

    Raises:
        ValueError: If there is no such place, or none at all.
    """
    found = places(whole)
    if not found:
        raise ValueError(_none_reachable(whole))
    if name is None:
        return found[-1]
    by_name = {place.name: place for place in found}
    if name not in by_name:
        shown = [f"{p.name} ({p.height} x {p.width})" for p in found]
        if len(shown) > _MOST_NAMES_SHOWN:
            shown = ["...", *shown[-_MOST_NAMES_SHOWN:]]
        raise ValueError(
            f"`layer` is no layer with a map of the image. Got: {name!r}. "
            f"Expected one of: {', '.join(shown)}."
            f"{checks.did_you_mean(name, by_name)}"
        )
    return by_name[name]


def _place(name, value, grid) -> Place | None:
    shape = tuple(value.tensor.shape[1:])
    if None in shape or not value.tensor.dtype.startswith(("float", "bfloat")):
        return None
    if len(shape) == 3 and shape[0] * shape[1] > 1:
        return Place(name, value, shape[0], shape[1])
    if len(shape) == 2:
        return _tokens(name, value, shape[0], grid)
    return None


def _tokens(name, value, count, grid) -> Place | None:
    """The place that tokens are, if all but a few of them form a grid."""
    for extra in range(_MOST_EXTRA_TOKENS + 1):
        # A layer that cuts images into patches may show their tokens only.
        side = math.isqrt(max(count - extra, 0))
        height, width = grid or (side, side)
        if height * width > 1 and height * width + extra == count:
            return Place(name, value, height, width, extra)
    return None


def _none_reachable(whole) -> str:
    holders = [
        f"{call.operation.name!r} ({type(call.operation).__name__})"
        for call in whole.calls
        if graph.parts_of(call.operation)
    ]
    why = "no layer of the model gives a map of the image behind its weights"
    if holders:
        why = (
            f"the encoder is one layer, {', '.join(holders)}: a SavedModel, "
            "whose inner layers are no layers of Keras"
        )
    return (
        f"Grad-CAM needs a layer with a map of the image, and {why}. Expected "
        "such a layer; use 'integrated_gradients', which needs the gradient "
        "at the input only, or 'occlusion', 'lime' or 'shap', which need "
        "inputs and outputs only."
    )
