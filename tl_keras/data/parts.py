"""How several replicas share each batch."""

import dataclasses
import typing

import tensorflow as tf


class Part(typing.NamedTuple):
    """What one replica gets of a batch.

    Attributes:
        batch: `(inputs, labels)` or `(inputs, labels, weights)`, at least one
            example.
        share: float32 `()`: the examples of this part for each that an even
            part would have. 0 says that there was none left, and that the
            one in `batch` stands in for it.
    """

    batch: tuple
    share: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Parts:
    """Which parts of each batch are wanted, one after another.

    A batch is divided in its order into runs of examples, as even as its size
    allows. Their shares are such that the mean over the replicas of `share`
    times a mean over the part is the mean over the batch.

    An empty part would not be one in which nothing happens. A mean over no
    examples is NaN: BatchNormalization in training mode keeps it in its
    statistics and has it as the gradient of its scale, which the sum over the
    replicas carries to all, and the next step to every weight
    (https://github.com/keras-team/keras/issues/21467). Such a replica gets an
    example of the batch to stand in, which counts for nothing.

    Attributes:
        first: The first replica whose parts are wanted, from 0.
        count: For how many replicas, that one included.
        total: Number of all replicas.

    Example:
        >>> batches = tf.data.Dataset.range(5).batch(3).map(lambda x: (x, x))
        >>> for part in Parts(0, 2, 2).of(batches):
        ...     print(part.batch[0].numpy(), round(float(part.share), 2))
        [0] 0.67
        [1 2] 1.33
        [3] 1.0
        [4] 1.0
    """

    first: int
    count: int
    total: int

    def of(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """A dataset of `Part`s in place of one of batches."""

        def parts(*batch):
            size = tf.shape(tf.nest.flatten(batch)[0], tf.int64)[0]

            def part(number):
                positions, share = self.positions(size, number)
                return Part(
                    tf.nest.map_structure(
                        lambda tensor: tf.gather(tensor, positions), batch
                    ),
                    share,
                )

            return tf.data.Dataset.range(self.count).map(part)

        return batches.flat_map(parts)

    def positions(self, size, number, *, one_more: bool = False):
        """Where in a batch the examples of a part are.

        Args:
            size: int64 `()`: how many examples the batch has, at least 1.
            number: int64 `()`: the number of the part among those wanted.
            one_more: Whether the example behind the part is wanted too; that
                behind the last one is the first.

        Returns:
            int64 `[examples]`, and the share.
        """
        replica = self.first + number % self.count
        start = replica * size // self.total
        end = (replica + 1) * size // self.total
        share = tf.cast(end - start, tf.float32) * self.total
        share /= tf.cast(size, tf.float32)
        end = tf.maximum(end, start + 1)
        return tf.range(start, end + int(one_more)) % size, share


def without_last(part: Part) -> Part:
    """A part without its last example."""
    return Part(tf.nest.map_structure(lambda x: x[:-1], part.batch), part.share)
