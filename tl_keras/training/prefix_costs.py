"""What the prefix cache costs and saves."""

import os
import time

import numpy as np
import tensorflow as tf

from tl_keras.data import memory

_BATCH = 32
_BUFFER_BYTES = 2**25
_TRIALS = 5


def saved_seconds(
    *,
    computing: float,
    reading: float,
    examples: float,
    epochs: int,
    lacking: int,
) -> float:
    """What a phase is shorter by if results are kept; negative if longer.

    The rest of the model costs the same either way.

    Args:
        computing: Seconds to compute the result of an example.
        reading: Seconds to read it.
        examples: How many results an epoch takes, validation included.
        epochs: How many epochs the phase has.
        lacking: How many results have to be computed first.

    Example:
        >>> saved_seconds(
        ...     computing=1.0, reading=0.1, examples=10, epochs=5, lacking=10
        ... )
        35.0
    """
    without = epochs * examples * computing
    return without - lacking * computing - epochs * examples * reading


def seconds_to_read(store, num_bytes: int) -> float:
    """How long it takes to read a row of a store in any order.

    Args:
        store: A `FeatureStore`.
        num_bytes: What all its rows will take. What does not fit into memory
            is read from the disk, which is taken to be as fast as it writes.
    """
    row = store.bytes_per_row
    values = max(1, row // 4)
    rows = max(_BATCH, min(4096, _BUFFER_BYTES // row))
    with tf.device("CPU:0"):
        table = tf.zeros([rows, values])
        indices = tf.constant(
            np.random.default_rng(0).integers(rows, size=_BATCH)
        )
        times = []
        for _ in range(_TRIALS):
            began = time.perf_counter()
            tf.gather(table, indices)
            times.append(time.perf_counter() - began)
    seconds = float(np.median(times)) / _BATCH
    if num_bytes > memory.available_bytes():
        seconds += row / _bytes_per_second(store.folder)
    return seconds


def _bytes_per_second(folder) -> float:
    """How fast a disk writes."""
    path = folder / f"speed.{os.getpid()}"
    content = os.urandom(_BUFFER_BYTES)
    began = time.perf_counter()
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)
    return len(content) / (time.perf_counter() - began)
