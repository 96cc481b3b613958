"""How training steps run fastest: tried for a moment before a long phase."""

import time

import keras
import tensorflow as tf

from tl_keras.training import step_state
from tl_keras.training import workers

# Below, a phase is over before a trial pays.
FEWEST_STEPS = 500
_STEPS_AT_A_TIME = 16
# Longer steps gain nothing from being called several at a time.
_LONG_STEP_SECONDS = 0.02
_LONG_PHASE_SECONDS = 120.0
# A gain below could be noise.
_GAIN = 0.95


def choose(compiled, batches, total_steps: int, callbacks) -> dict:
    """Times the ways to run a step; leaves everything as it was.

    Args:
        compiled: A `Compiled`.
        batches: A dataset of training batches without end, as the strategy
            distributes it.
        total_steps: Steps of the phase.
        callbacks: The user's callbacks; with one that wants to see each
            batch, steps run one at a time.

    Returns:
        `{"steps_per_execution": ..., "jit_compile": ...}`.
    """
    model = compiled.training_model
    state = step_state.variables(compiled)
    before = [v.numpy() for v in state]
    iterator = iter(batches)
    try:
        seconds = _seconds_per_step(model, iterator, 1)
        chosen = {"steps_per_execution": 1, "jit_compile": False}
        if seconds < _LONG_STEP_SECONDS and not _want_batches(callbacks):
            faster = _seconds_per_step(model, iterator, _STEPS_AT_A_TIME)
            if faster < _GAIN * seconds:
                seconds = faster
                chosen["steps_per_execution"] = _STEPS_AT_A_TIME
        if _may_compile(model) and total_steps * seconds > _LONG_PHASE_SECONDS:
            count = chosen["steps_per_execution"]
            compiled_seconds = _compiled_seconds(model, iterator, count)
            chosen["jit_compile"] = compiled_seconds < _GAIN * seconds
    finally:
        for variable, value in zip(state, before, strict=True):
            variable.assign(value)
        model.reset_metrics()
    return chosen


def for_tpu(callbacks) -> dict:
    """What `choose` would, on a TPU, where nothing is to be found out.

    Its steps are compiled by XLA in any case, and calls from the host are
    dear. With a callback that wants to see each batch, there is one a step.

    Args:
        callbacks: The user's callbacks.

    Example:
        >>> for_tpu([])
        {'steps_per_execution': 16, 'jit_compile': False}
    """
    count = 1 if _want_batches(callbacks) else _STEPS_AT_A_TIME
    return {"steps_per_execution": count, "jit_compile": False}


def apply(compiled, chosen: dict):
    """Sets a compiled model to run its steps in a chosen way, in place."""
    model, count = compiled.training_model, chosen["steps_per_execution"]
    if model.steps_per_execution != count:
        model.steps_per_execution = count
        # Keras' own has the number in its graph.
        model.make_test_function(force=True)
    model.make_train_function()
    model.train_function.steps_at_a_time = count
    if bool(model.jit_compile) != chosen["jit_compile"]:
        model.jit_compile = chosen["jit_compile"]
        model.make_train_function(force=True)


def _seconds_per_step(model, iterator, count: int) -> float:
    model.make_train_function()
    function = model.train_function
    function.start()
    function.steps_at_a_time = count
    # The first call traces.
    function(iterator)
    began, done = time.perf_counter(), function.done
    while function.done - done < 2 * _STEPS_AT_A_TIME:
        logs = function(iterator)
        # As callbacks do, which stop at a loss that is NaN.
        float(logs["loss"])
    seconds = (time.perf_counter() - began) / (function.done - done)
    return workers.of_chief(seconds)


def _compiled_seconds(model, iterator, count) -> float:
    """Seconds a step takes under XLA; infinite where that does not work."""
    model.jit_compile = True
    try:
        model.make_train_function(force=True)
        return _seconds_per_step(model, iterator, count)
    except (tf.errors.OpError, NotImplementedError, ValueError, TypeError):
        return float("inf")
    finally:
        model.jit_compile = False
        model.make_train_function(force=True)


def _may_compile(model) -> bool:
    """Whether XLA is worth a trial.

    On CPUs it made convolutions several times slower, and takes a minute to
    compile them.
    """
    if tf.distribute.has_strategy():
        # It fails there: https://github.com/keras-team/keras/issues/20763
        return False
    if tf.config.list_logical_devices("GPU"):
        return True
    return not any(
        "Conv" in type(operation).__name__ for operation in model.operations
    )


def _want_batches(callbacks) -> bool:
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_end")
    return any(
        getattr(type(callback), hook, None)
        is not getattr(keras.callbacks.Callback, hook, None)
        for callback in callbacks
        for hook in hooks
    )
