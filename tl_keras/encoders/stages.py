"""The layer groups of `keras.applications`: each architecture's own stages."""

import re

from tl_keras import graph
from tl_keras.encoders import groups as groups_lib

# Everything up to the first fork of the graph, for architectures whose first
# layers have no names of their own.
UNTIL_FIRST_FORK = None

_EFFICIENTNET = (
    ("stem", r"stem_.*"),
    (r"block\1", r"block(\d+)[a-z]+_.*"),
    ("top", r"top_.*"),
)
_VGG = ((r"block\1", r"block(\d+)_.*"),)
_RESNET = (
    ("stem", r"conv1_.*"),
    (r"conv\1", r"conv(\d+)_block.*"),
    ("top", r"post_.*"),
)

# Module of `keras.applications` to (group, pattern of a whole layer name); the
# first pattern that fits counts. Groups are in the order in which the graph
# reaches them. Layers that fit none have automatic names ("conv2d_17"): see
# `groups_of`.
STAGES = {
    "convnext": (
        ("stem", r".*_stem"),
        # A block that halves the size opens the stage after it.
        ("stage1", r".*_stage_0_.*"),
        ("stage2", r".*_downsampling_block_0|.*_stage_1_.*"),
        ("stage3", r".*_downsampling_block_1|.*_stage_2_.*"),
        ("stage4", r".*_downsampling_block_2|.*_stage_3_.*"),
        ("top", r"layer_normalization(_\d+)?"),
    ),
    "densenet": (
        ("stem", r"conv1_.*"),
        # A transition closes the stage before it.
        (r"conv\1", r"(?:conv|pool)([2-5])_.*"),
        ("top", r"bn"),
    ),
    "efficientnet": _EFFICIENTNET,
    "efficientnet_v2": _EFFICIENTNET,
    "inception_resnet_v2": (
        ("stem", UNTIL_FIRST_FORK),
        (r"\1", r"(mixed_\d[a-z])"),
        (r"\1", r"(block\d+)_.*"),
        ("top", r"conv_7b.*"),
    ),
    "inception_v3": (
        ("stem", UNTIL_FIRST_FORK),
        (r"mixed\1", r"mixed(\d+)"),
    ),
    "mobilenet": (
        ("stem", r"conv1.*"),
        (r"block_\1", r"conv_(?:dw|pw|pad)_(\d+).*"),
    ),
    "mobilenet_v2": (
        ("stem", r"Conv1|bn_Conv1"),
        ("block_0", r"expanded_conv_.*"),
        (r"block_\1", r"block_(\d+)_.*"),
        ("top", r"Conv_1.*"),
    ),
    "mobilenet_v3": (
        ("stem", r"conv|conv_bn"),
        (r"block_\1", r"expanded_conv_(\d+)_.*"),
        ("block_0", r"expanded_conv_.*"),
        ("top", r"conv_1.*"),
    ),
    "nasnet": (
        ("stem", r"stem_.*|.*_stem_[12]"),
        (r"reduce_\1", r".*_reduce_(\d+)"),
        (r"cell_\1", r"(?:adjust|normal|separable)_.*_(\d+)"),
    ),
    "resnet": _RESNET,
    "resnet_v2": _RESNET,
    "vgg16": _VGG,
    "vgg19": _VGG,
    "xception": _VGG,
}


def groups_of(model, module: str) -> dict[str, tuple[str, ...]]:
    """The layer groups of one of `keras.applications`.

    A layer with an automatic name lies between two named ones. It belongs to
    the group that follows the last one it depends on, or, where that comes
    later, to the first group that reads it: the branches of an Inception block
    lie in the block whose (named) concatenation they enter, and the shortcuts
    of Xception beside the block that they skip.

    Args:
        model: The Functional model, without its top.
        module: Name of the module it comes from, e.g. "resnet_v2".

    Returns:
        Group name to names of its layers with weights, in graph order.

    Raises:
        ValueError: If there are no patterns for `module`.

    Example:
        >>> import keras
        >>> with keras.StatelessScope():  # Makes no weights.
        ...     model = keras.applications.VGG16(
        ...         include_top=False, weights=None
        ...     )
        >>> groups_of(model, "vgg16")["block1"]
        ('block1_conv1', 'block1_conv2')
    """
    if module not in STAGES:
        raise ValueError(
            "The layer groups of this architecture are not known. Got: "
            f"keras.applications.{module}. Expected one of: "
            f"{', '.join(STAGES)}. Use `tl_keras.encoders.from_model` with "
            "groups of your own."
        )
    inputs = graph.inputs_of(model)
    named = _named_groups(inputs, STAGES[module])
    order = list(dict.fromkeys(named.values()))
    index_of = _fill_in(inputs, {k: order.index(v) for k, v in named.items()})
    groups = {name: [] for name in order}
    for layer in groups_lib.layers_with_weights(model):
        groups[order[index_of[layer]]].append(layer)
    return {name: tuple(layers) for name, layers in groups.items() if layers}


def _named_groups(inputs, patterns) -> dict[str, str]:
    """Operation name to group, in graph order, where a pattern fits."""
    groups = {}
    if patterns[0][1] is UNTIL_FIRST_FORK:
        groups = dict.fromkeys(_until_first_fork(inputs), patterns[0][0])
        patterns = patterns[1:]
    for operation in inputs:
        for group, pattern in patterns:
            match = re.fullmatch(pattern, operation)
            if match and operation not in groups:
                groups[operation] = match.expand(group)
    return groups


def _until_first_fork(inputs) -> list[str]:
    readers = _readers_of(inputs)
    found = []
    for operation in inputs:
        found.append(operation)
        if len(readers[operation]) > 1:
            break
    return found


def _readers_of(inputs) -> dict[str, set[str]]:
    readers = {operation: set() for operation in inputs}
    for operation, read in inputs.items():
        for one in read:
            readers[one].add(operation)
    return readers


def _fill_in(inputs, known: dict[str, int]) -> dict[str, int]:
    """The group's position for every operation, from those that are known."""
    before = {}
    for operation, read in inputs.items():
        latest = max((before[one] for one in read), default=-1)
        before[operation] = known.get(operation, latest)
    readers = _readers_of(inputs)
    after = {}
    for operation in reversed(inputs):
        last = max(known.values())
        earliest = min((after[one] for one in readers[operation]), default=last)
        after[operation] = known.get(operation, earliest)
    return {
        operation: known.get(
            operation, min(before[operation] + 1, after[operation])
        )
        for operation in inputs
    }
