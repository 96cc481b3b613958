"""Devices: which strategy a model is built and trained under."""

import contextlib
import functools
import sys

import keras
import tensorflow as tf

from tl_keras.training import cluster
from tl_keras.training import strategy_names
from tl_keras.training import tpu


@contextlib.contextmanager
def strategy(name: str = "auto"):
    """A context for loading, building and fitting on several devices.

    Args:
        name: `"mirrored"` keeps a copy of the model on each GPU (or on each
            logical CPU device where there is no GPU) and splits each batch
            among them; `"multiworker"` does so among the GPUs (or CPUs) of
            several processes, which the environment variable `TF_CONFIG`
            names, see below; `"tpu"` uses the TPU of this machine, and
            `"tpu:NAME"` one elsewhere; `"none"` uses one device; `"auto"` is
            `"mirrored"` where there are two GPUs or more, else `"none"`.

    With any of them, batches are as large as the data say, all replicas taken
    together, their order is that on one device, and learning rates are not
    scaled: losses are those of one device. (BatchNormalization in training
    mode sees a replica's part of the batch.)

    Each worker of `"multiworker"` runs the same program on the same data and
    reads its part of each batch. It has to be chosen before TensorFlow does
    anything else. The first worker, or the one called chief, writes files.

    On a TPU, batches are all of one size: what is left at the end of an epoch
    is not trained on, and there is no prefix cache. Augmentation runs on the
    host. bfloat16 is used where a precision of `"mixed_bfloat16"` asks for
    it. `tl_keras.check_tpu` tells beforehand whether a plan can run there.

    Yields:
        The `tf.distribute.Strategy`.

    Raises:
        ValueError: If there is no such strategy, or `TF_CONFIG` is wrong.
        OSError: If the port of this worker is taken, or there is no TPU.
        RuntimeError: If TensorFlow has begun before `"multiworker"`.

    Example:
        >>> import tl_keras
        >>> with tl_keras.strategy("none") as devices:
        ...     devices.num_replicas_in_sync
        1
    """
    strategy_names.check(name)
    check_keras_distribution()
    tpu_name = strategy_names.tpu_of(name)
    if tpu_name is not None:
        cores = tpu.connect(tpu_name)
        with cores.scope():
            yield cores
        return
    if name == "multiworker":
        multiworker = _multiworker(cluster.read())
        with multiworker.scope():
            yield multiworker
        return
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


def runs_on_tpu() -> bool:
    """Whether the current strategy is one of a TPU.

    Example:
        >>> runs_on_tpu()
        False
    """
    return isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)


@functools.cache
def _mirrored(devices):
    # Two strategies over the same devices number their collective operations
    # alike, and the second fails with "Shape mismatch in the collective
    # instance": one is kept for the whole process.
    return tf.distribute.MirroredStrategy(devices)


@functools.cache
def _multiworker(members):
    # A process can join a cluster once.
    cluster.check_port(members)
    # It may take long, and TensorFlow says nothing meanwhile.
    print(
        f"Worker {members.index} waits for all of: "
        f"{', '.join(members.addresses)}.",
        file=sys.stderr,
        flush=True,
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise RuntimeError(
            "`strategy='multiworker'` came too late: TensorFlow has begun "
            "already, and cannot join other workers then. Enter `with "
            "tl_keras.strategy('multiworker'):` before anything is loaded, "
            f"listed or computed. ({error})"
        ) from error


def check_keras_distribution():
    """Refuses `keras.distribution`, which does nothing with TensorFlow.

    Raises:
        ValueError: If one is set.
    """
    chosen = keras.distribution.distribution()
    if chosen is not None:
        raise ValueError(
            "Keras ignores `keras.distribution` on its TensorFlow backend, and "
            "would train on one device without a word. Got: "
            f"{type(chosen).__name__}. Call "
            "`keras.distribution.set_distribution(None)`, and use `with "
            "tl_keras.strategy(...):`."
        )


@contextlib.contextmanager
def scope_of(model):
    """The scope of the strategy under which a model was built.

    Args:
        model: A `keras.Model`.

    Yields:
        The `tf.distribute.Strategy`.

    Raises:
        ValueError: If the current strategy has several replicas and the
            model was built outside of it; if it is one that Keras cannot
            train under, or `keras.distribution` is set.
    """
    check_keras_distribution()
    current = tf.distribute.get_strategy()
    if isinstance(current, tf.distribute.ParameterServerStrategy):
        raise ValueError(
            "Keras 3 cannot train with parameter servers: its `fit` has no "
            "coordinator that would hand out steps. Got: "
            f"{type(current).__name__}. Use `with "
            "tl_keras.strategy('multiworker'):`, where workers train together."
        )
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
