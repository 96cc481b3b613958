"""Stores of a few rows that can be told apart, for tests of the prefix cache.

Programs of other processes import it too, see `environment`.
"""

import os
import pathlib

import numpy as np

from tl_keras.training.feature_store import FeatureStore
from tl_keras.training.feature_store import RowSpec

SPECS = (RowSpec((3,), "float32"), RowSpec((), "int64"))


def digests_of(*numbers):
    """A digest for each number."""
    table = np.zeros([len(numbers), 16], np.uint8)
    table[:, 0] = numbers
    table[:, 15] = 7
    return table


def rows_of(*numbers):
    numbers = np.array(numbers)
    wide = np.repeat(numbers[:, None], 3, axis=1).astype("float32") / 3
    return [wide, numbers.astype("int64")]


def write(folder, *blocks):
    """A store with a block of rows for each list of numbers."""
    store = FeatureStore(folder, SPECS)
    for numbers in blocks:
        with store.writing() as writer:
            writer.add(digests_of(*numbers), rows_of(*numbers))
    return store


def environment() -> dict:
    """Variables of a process that imports this module."""
    return os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parent)}
