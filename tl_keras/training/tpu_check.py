"""Whether a TPU could run a plan's training steps, found out without one."""

import dataclasses
import re

import tensorflow as tf

from tl_keras import graph
from tl_keras.training import preparation
from tl_keras.training import strategies
from tl_keras.training import timed_choices
from tl_keras.training.prefix_settings import PrefixCache
from tl_keras.tuning.phases import Phase
from tl_keras.tuning.phases import Plan

_DYNAMIC = (
    "how much it gives depends on the values that it is given, and on a TPU "
    "every shape has to be known beforehand"
)
_PYTHON = "it calls Python, which is not on the TPU"
_STRINGS = "it computes with texts, which a TPU has no room for"
_HOST = "it has no kernel for a TPU; do that in the input pipeline"
# XLA compiles some of these on a CPU, or cuts them short.
_REASONS = {
    **dict.fromkeys(
        (
            "Where",
            "Unique",
            "UniqueV2",
            "UniqueWithCounts",
            "UniqueWithCountsV2",
            "ListDiff",
            "DynamicPartition",
            "NonMaxSuppression",
            "NonMaxSuppressionV2",
            "NonMaxSuppressionV3",
            "SparseReshape",
            "SparseSlice",
            "RaggedRange",
            "RaggedTensorToTensor",
            "SetSize",
        ),
        _DYNAMIC,
    ),
    **dict.fromkeys(("PyFunc", "PyFuncStateless", "EagerPyFunc"), _PYTHON),
    **dict.fromkeys(
        (
            "ImageProjectiveTransformV2",
            "ImageProjectiveTransformV3",
            "DecodeImage",
            "DecodeJpeg",
            "DecodePng",
            "DecodeWav",
        ),
        _HOST,
    ),
}
_OF_STRINGS = re.compile("String|Regex|Unicode|Substr|ReduceJoin")
# XLA leaves assertions out, and with them their messages.
_MAY_HOLD_STRINGS = ("Assert", "Const", "PlaceholderWithDefault")


@dataclasses.dataclass(frozen=True)
class Obstacle:
    """An operation that a TPU cannot run.

    Attributes:
        operation: Its kind in TensorFlow, e.g. `"Where"`.
        node: Its name in the graph.
        layer: Name of the layer that calls it; None where it is in none.
        reason: What is in the way.
    """

    operation: str
    node: str
    layer: str | None
    reason: str

    def __str__(self):
        place = f"layer {self.layer!r}" if self.layer else self.node
        return f"{self.operation} in {place}: {self.reason}."


@dataclasses.dataclass(frozen=True)
class TpuCheck:
    """What `check_tpu` found.

    Attributes:
        obstacles: Name of each phase to its `Obstacle`s.
    """

    obstacles: dict[str, tuple[Obstacle, ...]]

    @property
    def passes(self) -> bool:
        """Whether there are no obstacles."""
        return not any(self.obstacles.values())

    def __str__(self):
        lines = []
        for phase, obstacles in self.obstacles.items():
            verdict = (
                "cannot run on a TPU:"
                if obstacles
                else ("compiles for XLA with static shapes.")
            )
            lines.append(f"Phase {phase!r} {verdict}")
            lines += [f"  {obstacle}" for obstacle in obstacles]
        return "\n".join(lines)


def check_tpu(
    model,
    data,
    plan,
    *,
    groups=None,
    loss=None,
    metrics=None,
    class_weight=None,
) -> TpuCheck:
    """Whether a TPU could run the training steps of a plan.

    For each phase, the whole training step (forward pass, loss, gradients,
    optimizer, metrics, and what a phase adds) is traced for batches of one
    size and translated for XLA, on this machine's CPU. Operations that stand
    in the way are named with their layers. Nothing is trained.

    It is no proof: memory, and what only the compiler of a TPU refuses, are
    not looked at.

    Args:
        model, data, plan: As of `fit`; the data are to be a batch at least.
        groups, loss, metrics, class_weight: As of `fit`.

    Returns:
        A `TpuCheck`, which prints as a page.

    Raises:
        TypeError, ValueError: As `fit`.

    Example:
        >>> import numpy as np
        >>> import tl_keras
        >>> images = np.zeros((8, 32, 32, 3), "uint8")
        >>> data = tl_keras.data.from_arrays(
        ...     train=(images, [0, 1] * 4), batch_size=8, validation=False
        ... )
        >>> model = tl_keras.build(
        ...     tl_keras.encoders.load("tiny"),
        ...     tl_keras.heads.Classifier(num_classes=2),
        ... )
        >>> print(check_tpu(model, data, tl_keras.plans.linear_probe()))
        Phase 'head' compiles for XLA with static shapes.
    """
    if isinstance(plan, Phase):
        plan = Plan(plan.name, [plan])
    with strategies.scope_of(model):
        training = preparation.prepare(
            model,
            data,
            plan,
            groups=groups,
            loss=loss,
            metrics=metrics,
            class_weight=class_weight,
            validation_data=None,
            prefix_cache=PrefixCache(mode="never"),
            seed=0,
            callbacks=(),
            choices=timed_choices.TimedChoices(None),
            step_trial=False,
            verbose=0,
            static=True,
        ).training
        layers = {layer.name for layer in graph.layers_within(model)}
        found = {}
        for phase in plan.phases:
            step = training.compiled(phase).training_model
            spec = training.feed.train(phase, 0, 1).element_spec
            found[phase.name] = tuple(_obstacles(step, spec, layers))
    return TpuCheck(found)


def _obstacles(model, spec, layers) -> list[Obstacle]:
    # XLA is asked for with a flat list of what a step takes.
    flat = tf.nest.flatten(spec)
    step = tf.function(
        lambda *batch: model.train_step(tf.nest.pack_sequence_as(spec, batch)),
        autograph=False,
        jit_compile=True,
    )
    try:
        traced = step.get_concrete_function(*flat)
    except (TypeError, ValueError, LookupError, NotImplementedError) as error:
        return [Obstacle("Tracing", "the step", None, _first_line(error))]
    found = _of_graph(traced.graph.as_graph_def(), layers)
    return found or _of_compiler(step, flat, layers)


def _of_graph(definition, layers) -> list[Obstacle]:
    """What is seen in a graph, and in the functions that it calls."""
    library = {one.signature.name: one for one in definition.library.function}
    found, seen = {}, set()

    def walk(nodes, caller):
        for node in nodes:
            layer = _layer_of(node.name, layers) or caller
            reason = _reason(node)
            if reason is not None:
                key = (node.op, layer or node.name)
                found.setdefault(
                    key, Obstacle(node.op, node.name, layer, reason)
                )
            for name in _called(node):
                if name in library and (name, layer) not in seen:
                    seen.add((name, layer))
                    walk(library[name].node_def, layer)

    walk(definition.node, None)
    return list(found.values())


def _reason(node) -> str | None:
    if node.op in _REASONS:
        return _REASONS[node.op]
    if _OF_STRINGS.search(node.op):
        return _STRINGS
    types = [
        one
        for value in node.attr.values()
        for one in (value.type, *value.list.type)
    ]
    if tf.string.as_datatype_enum in types:
        if node.op not in _MAY_HOLD_STRINGS:
            return _STRINGS
    return None


def _called(node) -> list[str]:
    """Names of the functions that a node calls."""
    return [
        function.name
        for value in node.attr.values()
        for function in (value.func, *value.list.func)
        if function.name
    ]


def _of_compiler(step, flat, layers) -> list[Obstacle]:
    """What XLA refuses to translate, or nothing."""
    try:
        step.experimental_get_compiler_ir(*flat)(stage="hlo")
    except (ValueError, TypeError, tf.errors.OpError) as error:
        text = str(error)
        unsupported = re.findall(
            r"(\w+) \(No registered '\w+' OpKernel[^{]*\{\{node ([^}]+)\}\}",
            text,
        )
        if not unsupported:
            nodes = re.findall(r"\{\{node ([^}]+)\}\}", text)
            unsupported = [("XLA", node) for node in nodes[-1:]]
        return [
            Obstacle(
                operation,
                node,
                _layer_of(node, layers),
                _HOST if operation != "XLA" else _first_line(error),
            )
            for operation, node in unsupported or [("XLA", "the step")]
        ]
    return []


def _layer_of(node_name: str, layers) -> str | None:
    """The innermost layer in whose scope a node is."""
    for part in reversed(node_name.split("/")):
        # A layer that is called again gets a number.
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in layers:
                return name
    return None


def _first_line(error) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
