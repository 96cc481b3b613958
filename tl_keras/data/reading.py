"""Readers: from the indices of examples to batches of equally shaped inputs."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tl_keras.data import prefetching

_DECODE_BATCH = 64


@dataclasses.dataclass(frozen=True, eq=False)
class InMemory:
    """Inputs in memory, brought into their last form as they are read.

    Attributes:
        values: Tensor `[examples, ...]`.
        finish: Function from a batch of them to what `read` gives.
    """

    values: tf.Tensor
    finish: Callable = tf.identity

    def read(self, indices):
        """Inputs `[batch, ...]` at `indices`."""
        return self.finish(tf.gather(self.values, indices))

    def read_now(self, start: int, end: int):
        """Inputs from `start` up to `end`; not in a graph."""
        return self.read(tf.range(start, end))


@dataclasses.dataclass(frozen=True, eq=False)
class OnTheFly:
    """Encoded inputs, which are decoded each time they are read.

    Attributes:
        decode: Function from the index of an example, an int64 scalar, to its
            input.
        names: String tensor `[examples]`: how an error speaks of each input.
        expected: A sentence that says what can be decoded.
        shape: Shape of one input as `read` gives it.
        dtype: Its dtype.
    """

    decode: Callable
    names: tf.Tensor
    expected: str
    shape: tuple[int, ...]
    dtype: tf.DType

    def read(self, indices):
        """Inputs `[batch, *shape]` at `indices`.

        Raises:
            tf.errors.InvalidArgumentError: If one of them cannot be decoded.
                The message names the first such file.
        """
        inputs, failed = self.try_to_read(indices)
        name = tf.gather(self.names, tf.gather(indices, tf.maximum(failed, 0)))
        message = tf.strings.join(
            [name, " cannot be decoded. " + self.expected]
        )
        check = tf.debugging.Assert(failed < 0, [message])
        with tf.control_dependencies([check]):
            return tf.identity(inputs)

    def try_to_read(self, indices):
        """Like `read`, but says which input failed instead of failing.

        Args:
            indices: int64 tensor `[batch]`, not empty.

        Returns:
            The inputs, and an int64 scalar: the position in `indices` of the
            first input that cannot be decoded or has another shape, or -1.
            Unless it is -1, the inputs are of no use.
        """
        batch_size = tf.size(indices, out_type=tf.int64)
        # A graph has no `try`. But there is a data set that leaves out what
        # fails, and the first position that is missing from it has failed.
        # The last element keeps the batch from being empty.
        last = tf.zeros(self.shape, self.dtype)
        positions, inputs = (
            tf.data.Dataset.from_tensor_slices(indices)
            .enumerate()
            .map(lambda position, index: (position, self._checked(index)))
            .ignore_errors()
            .concatenate(tf.data.Dataset.from_tensors((batch_size, last)))
            .batch(batch_size + 1)
            .get_single_element()
        )
        expected = tf.range(tf.size(positions, out_type=tf.int64))
        failed = tf.concat(
            [tf.boolean_mask(expected, positions != expected), [-1]], 0
        )
        return inputs[:-1], failed[0]

    def read_now(self, start: int, end: int):
        """Inputs from `start` up to `end`; not in a graph.

        Raises:
            ValueError: If one cannot be decoded. The message names it.
        """
        inputs, failed = self.try_to_read(tf.range(start, end, dtype=tf.int64))
        if failed >= 0:
            self.shape_of(start + int(failed))
        return inputs

    def shape_of(self, index: int) -> tuple[int, ...]:
        """The shape of one input, whatever `shape` says; not in a graph.

        Raises:
            ValueError: If it cannot be decoded. The message names it.
        """
        try:
            return tuple(self.decode(index).shape)
        # Outside of a graph, what a Python function raises arrives as it is.
        except Exception as error:
            raise ValueError(
                f"{self.name(index)} cannot be decoded. {self.expected} Remove "
                f"or replace it. (The decoder says: {_first_line(error)})"
            ) from error

    def name(self, index: int) -> str:
        """How an error speaks of an input; not in a graph."""
        return self.names[index].numpy().decode()

    def _checked(self, index):
        return tf.ensure_shape(self.decode(index), self.shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    """Some of the inputs of another reader, in an order of their own.

    Attributes:
        reader: Reads all.
        indices: int64 array: which of them each example here is.
    """

    reader: object
    indices: np.ndarray

    def read(self, indices):
        """Inputs `[batch, ...]` at `indices`."""
        with tf.device("CPU:0"):
            places = tf.constant(self.indices, tf.int64)
        return self.reader.read(tf.gather(places, indices))


def _first_line(error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def constant(values, dtype=None):
    """A tensor in main memory: a GPU has no use for all inputs at once."""
    with tf.device("CPU:0"):
        return tf.constant(values, dtype)


def contents(values, *, are_paths: bool):
    """A function from an example's index to its bytes.

    Args:
        values: Array `[examples]` of the bytes, or of the paths of files.
        are_paths: Whether `values` are paths.
    """
    values = constant(values, tf.string)

    def content(index):
        value = tf.gather(values, index)
        return tf.io.read_file(value) if are_paths else value

    return content


class ShapesDiffer(ValueError):
    """Raised where inputs that should have one shape have two."""


def read_all(reader: OnTheFly) -> np.ndarray:
    """All inputs as one array `[examples, *reader.shape]`, read in parallel.

    Raises:
        ValueError: If one cannot be decoded. The message names it.
        ShapesDiffer: If one has another shape than `reader.shape`.
    """
    count = len(reader.names)
    inputs = np.empty((count, *reader.shape), reader.dtype.as_numpy_dtype)
    batches = (
        tf.data.Dataset.range(count)
        .batch(_DECODE_BATCH)
        .map(reader.try_to_read, tf.data.AUTOTUNE, deterministic=True)
    )
    start = 0
    for batch, failed in prefetching.prefetched(batches):
        if failed >= 0:
            index = start + int(failed)
            raise ShapesDiffer(
                f"The inputs differ in shape. Got: {reader.shape_of(index)} in "
                f"{reader.name(index)}, and {reader.shape} before."
            )
        inputs[start : start + len(batch)] = batch
        start += len(batch)
    return inputs
