"""The optimizer of a phase: schedule, and each variable's own rate."""

import keras
import tensorflow as tf

from tl_keras import checks
from tl_keras import keras_internals
from tl_keras.tuning import lora

_SAID_BY_THE_PHASE = (
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "name",
)


def learning_rate(phase, steps_per_epoch: int, total_steps: int):
    """The learning rate of a phase, as a number or a schedule over steps.

    Args:
        phase: A `Phase`.
        steps_per_epoch: Optimizer steps in an epoch.
        total_steps: Optimizer steps in the phase.

    Returns:
        A float for a constant rate without warm-up, so that callbacks can
        set it; else a `keras.optimizers.schedules.LearningRateSchedule`.

    Example:
        >>> from tl_keras.tuning import Phase
        >>> phase = Phase(name="a", learning_rate=0.1, warmup_epochs=1)
        >>> rate = learning_rate(phase, steps_per_epoch=10, total_steps=30)
        >>> [round(float(rate(step)), 3) for step in (0, 5, 10, 20, 30)]
        [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    warmup_steps = round(phase.warmup_epochs * steps_per_epoch)
    if warmup_steps >= total_steps:
        raise ValueError(
            f"The warm-up of phase {phase.name!r} leaves no steps to train. "
            f"Got: {phase.warmup_epochs} epochs = {warmup_steps} steps of "
            f"{total_steps}. Lower `warmup_epochs` or raise `epochs`."
        )
    peak = phase.learning_rate
    if phase.schedule == "constant" and not warmup_steps:
        return peak
    if phase.schedule == "constant":
        return keras.optimizers.schedules.PolynomialDecay(
            0.0, warmup_steps, end_learning_rate=peak, power=1.0
        )
    if not warmup_steps:
        return keras.optimizers.schedules.CosineDecay(peak, total_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        total_steps - warmup_steps,
        warmup_target=peak,
        warmup_steps=warmup_steps,
    )


def group_factors(phase, names, trained) -> dict[str, float]:
    """The rate of each trained group as a share of the head's.

    Args:
        phase: A `Phase`.
        names: All group names in graph order, the head last.
        trained: The names of the groups that train.

    Example:
        >>> from tl_keras.tuning import Phase
        >>> phase = Phase(name="a", encoder_rate_factor=0.5, depth_decay=0.1)
        >>> group_factors(phase, ["stem", "stage1", "head"], ["stage1", "head"])
        {'stage1': 0.5, 'head': 1.0}
    """
    for group in phase.rate_factors:
        checks.one_of(
            group, names, name=f"rate_factors of phase {phase.name!r}"
        )
    factors = {}
    for group in trained:
        distance = len(names) - 1 - list(names).index(group)
        factor = 1.0
        if distance:
            factor = phase.encoder_rate_factor
            factor *= phase.depth_decay ** (distance - 1)
        factors[group] = factor * phase.rate_factors.get(group, 1.0)
    return factors


def make(
    phase, rate, settings, adapters=(), *, scale_loss: bool = False
) -> keras.optimizers.Optimizer:
    """An optimizer with a rate factor and a weight decay for each variable.

    The factor scales the whole step of a variable, weight decay included;
    clipping is by the norm of all gradients together. Every phase begins with
    a fresh optimizer: slots that were gathered at other rates, on another
    set of weights, are not carried over, and the warm-up covers for them.

    Args:
        phase: A `Phase`.
        rate: Learning rate: a number or a schedule.
        settings: List of `(variable, rate factor, weight decay)`.
        adapters: `lora.Adapter`s whose `a` and `b` are among the variables in
            place of their kernels.
        scale_loss: Whether the model computes in float16, whose small
            gradients need a scaled loss.

    Returns:
        A `keras.optimizers.Optimizer`, built for these variables.

    Raises:
        ValueError: If Keras knows no such optimizer or option.
    """
    kind, options = _kind_and_options(phase)
    factors = {}
    kind = _with_factors(kind, factors, phase.clip_norm)
    if adapters:
        kind = lora.optimizer_class(kind, adapters)
    optimizer = kind(
        **{**options, **phase.optimizer_options},
        learning_rate=rate,
        # Muon has a weight decay by default; it is applied here, by variable.
        weight_decay=None,
    )
    for variable, factor, decay in settings:
        factors[keras_internals.key_of(optimizer, variable)] = factor, decay
    if scale_loss:
        optimizer = _LossScale(optimizer)
    optimizer.build([variable for variable, _, _ in settings])
    return optimizer


class _LossScale(keras.optimizers.LossScaleOptimizer):
    """Keras' loss scaling, where a gradient of any replica may overflow."""

    def check_finite(self, grads):
        # Keras asks the first replica alone, which adds up gradients later.
        overflows = 1.0 - keras.ops.cast(super().check_finite(grads), "float32")
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, overflows) < 0.5


def averages_weights(optimizer) -> bool:
    """Whether an optimizer ends with weights averaged over its steps.

    Example:
        >>> averages_weights(keras.optimizers.Adam(use_ema=True))
        True
    """
    return getattr(optimizer, "inner_optimizer", optimizer).use_ema


def accumulates(optimizer) -> bool:
    """Whether an optimizer steps once for several batches.

    Example:
        >>> accumulates(keras.optimizers.Adam(gradient_accumulation_steps=2))
        True
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return inner.gradient_accumulation_steps is not None


def _kind_and_options(phase):
    optimizer = phase.optimizer
    options = {}
    if isinstance(optimizer, keras.optimizers.Optimizer):
        kind = type(optimizer)
        options = optimizer.get_config()
    elif optimizer == "sgd":
        kind, options = keras.optimizers.SGD, {"momentum": 0.9}
    else:
        checks.instance(optimizer, str, name=f"optimizer of {phase.name!r}")
        checks.one_of(optimizer, sorted(_kinds()), name="phase.optimizer")
        kind = _kinds()[optimizer]
    # Decay is applied here, by variable: what is left of AdamW is Adam.
    if kind is keras.optimizers.AdamW:
        kind = keras.optimizers.Adam
    for option in phase.optimizer_options:
        if option in _SAID_BY_THE_PHASE:
            raise ValueError(
                f"`optimizer_options` of phase {phase.name!r} holds "
                f"{option!r}, which is a field of the phase: `learning_rate`, "
                "`weight_decay` or `clip_norm`. Set that field."
            )
    return kind, {
        k: v for k, v in options.items() if k not in _SAID_BY_THE_PHASE
    }


def _kinds() -> dict[str, type]:
    """Keras' optimizer classes by their names in lower case."""
    return {
        name.lower(): kind
        for name, kind in vars(keras.optimizers).items()
        if isinstance(kind, type)
        and issubclass(kind, keras.optimizers.Optimizer)
        and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
    }


def _with_factors(kind, factors, clip_norm):
    """A subclass of an optimizer class with a rate for each variable."""

    class WithFactors(keras_internals.SumsGradients, kind):
        def with_summed(self, gradients):
            if clip_norm is None:
                return gradients
            clipped, _ = tf.clip_by_global_norm(gradients, clip_norm)
            return clipped

        def update_step(self, gradient, variable, learning_rate):
            factor, decay = factors[keras_internals.key_of(self, variable)]
            rate = keras.ops.cast(learning_rate, variable.dtype) * factor
            if decay:
                variable.assign_sub(variable * (decay * rate))
            super().update_step(gradient, variable, rate)

    WithFactors.__name__ = kind.__name__
    return WithFactors
