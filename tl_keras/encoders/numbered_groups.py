"""Layer groups by the numbers of blocks in the names of layers."""

import re

from tl_keras.encoders import groups as groups_lib

_NUMBERED = re.compile(r"(?:stage|stack|block|layers?)_?\d+")


def groups_of(model, first: str) -> dict[str, tuple[str, ...]]:
    """A group for each numbered stage or block, in graph order.

    The first number in a name counts, with the word in front of it: the layer
    "encoder_stage_0_block_1_conv" is in group "stage_0". A layer without a
    number belongs to the group before it; in front of all groups to `first`,
    and behind them to "top".

    Args:
        model: A Functional `keras.Model`.
        first: Name of the group in front.

    Returns:
        Group name to names of layers with weights. Where the names are not in
        the order of the graph, or have no numbers: one group, "encoder".

    Example:
        >>> import keras
        >>> names = ("conv", "block1_a", "block1_b", "block2_a", "norm")
        >>> layers = [keras.layers.Dense(2, name=name) for name in names]
        >>> pixels = keras.Input((2,))
        >>> features = pixels
        >>> for layer in layers:
        ...     features = layer(features)
        >>> list(groups_of(keras.Model(pixels, features), "stem"))
        ['stem', 'block1', 'block2', 'top']
    """
    layers = groups_lib.layers_with_weights(model)
    numbered = [_NUMBERED.search(layer) for layer in layers]
    last = max((i for i, found in enumerate(numbered) if found), default=-1)
    group, groups = first, {}
    for index, (layer, found) in enumerate(zip(layers, numbered, strict=True)):
        if found:
            group = found[0]
        elif index > last:
            group = "top"
        groups.setdefault(group, []).append(layer)
    groups = {group: tuple(names) for group, names in groups.items()}
    try:
        groups_lib.check_groups(model, groups)
    except ValueError:
        last = -1
    return {"encoder": tuple(layers)} if last < 0 else groups
