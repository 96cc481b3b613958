"""Batches of what a model's frozen beginning gives for each example."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """A reader of kept tensors in place of inputs, in any order.

    Attributes:
        tensors: One tensor `[rows, ...]` for each place of the cut, or a
            NumPy array, which may be mapped from a file.
        rows: int64 tensor `[views, examples]`: the row of each copy of each
            example.
        dtypes: The dtypes in which the tensors are handed on.
    """

    tensors: tuple
    rows: tf.Tensor
    dtypes: tuple[str, ...]

    def read(self, indices, view=None):
        """Tensors `[batch, ...]` at `indices`, one for each place of the cut.

        Args:
            indices: int64 tensor `[batch]`: which examples.
            view: int64 tensor `[batch]`: which copy of each; None is the
                first.
        """
        indices = tf.cast(indices, tf.int64)
        view = tf.zeros_like(indices) if view is None else view
        rows = tf.gather_nd(self.rows, tf.stack([view, indices], axis=1))
        return tuple(
            tf.cast(_gather(tensor, rows), dtype)
            for tensor, dtype in zip(self.tensors, self.dtypes, strict=True)
        )

    def chosen(self, indices):
        """A reader of some of the examples, in an order of their own.

        Args:
            indices: int64 array `[examples]`.
        """
        with tf.device("CPU:0"):
            rows = tf.gather(self.rows, tf.constant(indices), axis=1)
        return dataclasses.replace(self, rows=rows)


def _gather(tensor, rows):
    if isinstance(tensor, tf.Tensor):
        return tf.gather(tensor, rows)
    # As a constant of a graph, TensorFlow would read all of it into memory.
    batch = tf.numpy_function(
        lambda numbers: tensor[numbers], [rows], tensor.dtype, stateful=False
    )
    return tf.ensure_shape(batch, [rows.shape[0], *tensor.shape[1:]])
