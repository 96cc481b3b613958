"""A TPU: found and initialised, or a plain answer why not."""

import functools
import threading

import tensorflow as tf

# A TPU of several hosts takes about a minute.
PROBE_SECONDS = 180.0
# The last tensorflow-tpu on the package registries.
_LAST_VERSION = "2.20"


@functools.cache
def connect(name: str = "local", seconds: float = PROBE_SECONDS):
    """The strategy over all cores of a TPU, which it initialises.

    Args:
        name: `"local"` for the TPU of this machine (a TPU VM, Colab, Kaggle),
            else its name or its `grpc://` address.
        seconds: How long to wait for it.

    Returns:
        A `tf.distribute.TPUStrategy`.

    Raises:
        OSError: If there is none, it does not answer, or this TensorFlow
            has nothing that runs on one. The message says what to do.
    """
    found = _within(seconds, lambda: _initialised(name))
    if found is None:
        raise OSError(
            f"The TPU {name!r} gave no answer within {seconds:g} seconds. See "
            "whether it is running and reachable from here; or train with "
            "strategy='auto'."
        )
    resolver, error = found
    if error is not None:
        raise OSError(_why_not(name, error)) from error
    return tf.distribute.TPUStrategy(resolver)


def check_paths(name: str, paths):
    """Refuses paths that the hosts of a TPU elsewhere could not read.

    Args:
        name: As of `connect`.
        paths: Field of a config to its path, or None.

    Raises:
        ValueError: If a path is not on Google Cloud Storage.

    Example:
        >>> check_paths("local", {"data.data_dir": "/data"})
        >>> check_paths("my-tpu", {"data.data_dir": "/data"})
        Traceback (most recent call last):
            ...
        ValueError: The TPU 'my-tpu' reads data on its own hosts, which see ...
    """
    if name == "local":
        return
    here = {
        field: path
        for field, path in paths.items()
        if path is not None and not path.startswith("gs://")
    }
    if here:
        raise ValueError(
            f"The TPU {name!r} reads data on its own hosts, which see no files "
            f"of this machine. Got: {here}. Expected paths that begin with "
            "gs://; or run the program on the TPU's own machine, with "
            "strategy='tpu'."
        )


def _initialised(name):
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    # Whatever it is, it is told: a missing kernel or TPU, a host that is not
    # found, a driver in use.
    except Exception as error:
        return None, error
    return resolver, None


def _within(seconds, function):
    """What a function gives; None where it takes longer."""
    results = []
    # A daemon: what hangs is not to keep the program from ending.
    thread = threading.Thread(
        target=lambda: results.append(function()), daemon=True
    )
    thread.start()
    thread.join(seconds)
    return results[0] if results else None


def _why_not(name, error) -> str:
    lines = str(error).strip().splitlines()
    said = f"({type(error).__name__}: {lines[0] if lines else ''})"
    if "No OpKernel was registered" in str(error):
        return (
            "This TensorFlow has nothing that runs on a TPU. Got: "
            f"tensorflow {tf.__version__}. Install tensorflow-tpu in place of "
            f"tensorflow on the TPU's machine (there is none after "
            f"{_LAST_VERSION}); or train with strategy='auto'. {said}"
        )
    return (
        f"There is no TPU {name!r} here. Expected the machine of a TPU, or the "
        "name or address of one that is running: strategy='tpu:NAME'. Else "
        f"train with strategy='auto'. {said}"
    )
