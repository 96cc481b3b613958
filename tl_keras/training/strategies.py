"""Devices: which strategy a model is built and trained under."""

import contextlib
import functools

import tensorflow as tf

from tl_keras import checks

NAMES = ("auto", "none", "mirrored")


@contextlib.contextmanager
def strategy(name: str = "auto"):
    """A context for loading, building and fitting on several devices.

    Args:
        name: `"mirrored"` keeps a copy of the model on each GPU (or on each
            logical CPU device where there is no GPU) and splits each batch
            among them; `"none"` uses one device; `"auto"` is `"mirrored"`
            where there are two GPUs or more, else `"none"`.

    Yields:
        The `tf.distribute.Strategy`.

    Raises:
        ValueError: If there is no such strategy.

    Example:
        >>> import tl_keras
        >>> with tl_keras.strategy("none") as devices:
        ...     devices.num_replicas_in_sync
        1
    """
    checks.one_of(name, NAMES, name="strategy")
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "none"
    if name == "none":
        yield tf.distribute.get_strategy()
        return
    devices = gpus or tf.config.list_logical_devices("CPU")
    mirrored = _mirrored(tuple(device.name for device in devices))
    with mirrored.scope():
        yield mirrored


@functools.cache
def _mirrored(devices):
    # Two strategies over the same devices number their collective operations
    # alike, and the second fails with "Shape mismatch in the collective
    # instance": one is kept for the whole process.
    return tf.distribute.MirroredStrategy(devices)


@contextlib.contextmanager
def scope_of(model):
    """The scope of the strategy under which a model was built.

    Args:
        model: A `keras.Model`.

    Yields:
        The `tf.distribute.Strategy`.

    Raises:
        ValueError: If the current strategy has several replicas and the
            model was built outside of it.
    """
    current = tf.distribute.get_strategy()
    built_under = {
        getattr(variable.value, "distribute_strategy", None)
        for variable in model.weights
    }
    distributed = [s for s in built_under if s and s.num_replicas_in_sync > 1]
    if current.num_replicas_in_sync > 1 and built_under != {current}:
        raise ValueError(
            "The model was built outside of the strategy that `fit` is called "
            f"in ({type(current).__name__}, "
            f"{current.num_replicas_in_sync} replicas). Put load, build and "
            "fit into one `with tl_keras.strategy(...):` block."
        )
    owner = distributed[0] if distributed else current
    with owner.scope() if distributed else contextlib.nullcontext():
        yield owner
