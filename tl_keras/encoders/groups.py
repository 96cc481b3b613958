"""The graph of a Functional model: which layer reads which; its groups."""

import keras

from tl_keras import checks
from tl_keras import graph


def layers_with_weights(model) -> list[str]:
    """Names of the model's layers that have weights, inputs first.

    BatchNormalization has weights; activations, pooling and Dropout (which
    has a random state only) have none. A nested model counts as one layer.
    Of a layer that holds a whole network, each part is listed, as
    "LAYER/PART".

    Example:
        >>> import keras
        >>> pixels = keras.Input((4, 4, 3))
        >>> hidden = keras.layers.Conv2D(2, 3, name="conv")(pixels)
        >>> model = keras.Model(pixels, keras.layers.ReLU()(hidden))
        >>> layers_with_weights(model)
        ['conv']
    """
    listed = []
    for layer in model.layers:
        parts = [f"{layer.name}/{part}" for part in graph.parts_of(layer)]
        listed += parts or ([layer.name] if layer.weights else [])
    return listed


def group_indices(model, groups) -> dict[str, int]:
    """The group of every operation of the model, with weights or without.

    An operation that is listed in no group (an activation, an addition)
    belongs to the last group among those it depends on; a layer in parts to
    the group of its last part.

    Args:
        model: A Functional `keras.Model`.
        groups: Group name to names of layers, or "LAYER/PART".

    Returns:
        Operation name to the position of its group in `groups`, in graph
        order; -1 for what comes before the first group, such as preprocessing.

    Example:
        >>> import keras
        >>> pixels = keras.Input((4, 4, 3), name="pixels")
        >>> hidden = keras.layers.Conv2D(2, 3, name="conv")(pixels)
        >>> model = keras.Model(pixels, keras.layers.ReLU(name="relu")(hidden))
        >>> group_indices(model, {"stem": ["conv"]})
        {'pixels': -1, 'conv': 0, 'relu': 0}
    """
    listed = _positions(groups)
    indices = {}
    for name, inputs in graph.inputs_of(model).items():
        # A layer that is called twice may read what comes after its first call.
        before = max((indices.get(one, -1) for one in inputs), default=-1)
        indices[name] = max(listed.get(name, [before]))
    return indices


def _positions(groups) -> dict[str, list[int]]:
    """From a layer's name to the positions of the groups that have it."""
    positions = {}
    for index, layers in enumerate(groups.values()):
        for layer in layers:
            positions.setdefault(layer.split("/")[0], []).append(index)
    return positions


def check_functional(model):
    """Raises if `model` is not Functional with one input and one output."""
    if isinstance(model, keras.Sequential):
        problem = "a Sequential model"
        hint = "Pass `keras.Model(model.inputs, model.outputs)`."
    elif not hasattr(model, "operations"):
        problem = f"a {type(model).__name__}, whose layers are not a graph"
        hint = "Write it with `keras.Input` and `keras.Model(inputs, outputs)`."
    elif len(model.inputs) != 1 or len(model.outputs) != 1:
        problem = f"{len(model.inputs)} inputs, {len(model.outputs)} outputs"
        hint = "Choose one of each with `keras.Model(INPUT, OUTPUT)`."
    else:
        return
    raise ValueError(
        f"The encoder's `model` has the wrong form. Got: {problem}. Expected a "
        f"Functional `keras.Model` with one input and one output. {hint}"
    )


def check_groups(model, groups):
    """Raises if the groups do not partition the layers with weights in order.

    Args:
        model: A Functional `keras.Model`.
        groups: Group name to names of layers.

    Raises:
        ValueError: If a group is empty or named "head" or "all", has a layer
            that the model has not or that has no weights, if a layer is in two
            groups or in none, or if a layer depends on one of a later group.
    """
    if not groups and not layers_with_weights(model):
        return  # It computes without weights.
    _check_names(groups)
    _check_coverage(model, groups)
    _check_order(model, groups)


def _check_names(groups):
    if not groups:
        raise ValueError(
            "`groups` is empty. Expected at least one group, e.g. "
            '{"stem": ["conv1"], "top": ["conv2"]}.'
        )
    for name, layers in groups.items():
        checks.instance(name, str, name="group name")
        if name in ("head", "all"):
            raise ValueError(
                f"A group of an encoder cannot be named {name!r}, which has a "
                "meaning of its own in plans. Choose another name."
            )
        if not layers:
            raise ValueError(
                f"Group {name!r} is empty. Expected names of layers; leave "
                "out groups without layers."
            )


def _check_coverage(model, groups):
    expected = layers_with_weights(model)
    names = [layer.name for layer in model.layers] + expected
    listed = [layer for layers in groups.values() for layer in layers]
    for layer in listed:
        if layer not in names:
            raise ValueError(
                f"`groups` names a layer that the model has not. Got: "
                f"{layer!r}. The layers with weights are: "
                f"{', '.join(expected)}.{checks.did_you_mean(layer, expected)}"
            )
    unexpected = [layer for layer in listed if layer not in expected]
    missing = [layer for layer in expected if layer not in listed]
    repeated = sorted({layer for layer in listed if listed.count(layer) > 1})
    problems = [
        f"{problem}: {', '.join(layers)}"
        for problem, layers in (
            ("in no group", missing),
            ("more than once", repeated),
            ("without weights", unexpected),
        )
        if layers
    ]
    if problems:
        raise ValueError(
            f"`groups` does not cover the encoder. Got layers "
            f"{'; '.join(problems)}. Expected every layer with weights in "
            "exactly one group, and no others."
        )


def _check_order(model, groups):
    indices = group_indices(model, groups)
    positions = _positions(groups)
    names = list(groups)
    for layer, inputs in graph.inputs_of(model).items():
        first = min(positions.get(layer, [indices[layer]]))
        late = [one for one in inputs if indices[one] > first]
        if late:
            raise ValueError(
                "`groups` is not in graph order. Layer "
                f"{layer!r} of group {names[first]!r} reads "
                f"{late[0]!r} of the later group {names[indices[late[0]]]!r}. "
                "Expected groups from the input to the features."
            )
