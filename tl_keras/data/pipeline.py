"""From examples to data sets of batches.

Only indices are shuffled and batched; inputs are read and augmented a batch at
a time, several batches in parallel, and handed on in order.
"""

import dataclasses

import tensorflow as tf

from tl_keras.data import features
from tl_keras.data import parts as parts_
from tl_keras.data import prefetching
from tl_keras.data import randomness
from tl_keras.data import transforms


@dataclasses.dataclass(frozen=True)
class Batching:
    """How examples become batches.

    Attributes:
        size: Examples per batch.
        drop_remainder: Whether to drop a last one that is smaller.
        parts: A `Parts`, for the parts of batches that some replicas get;
            nothing else is read then. None for whole batches.
    """

    size: int
    drop_remainder: bool = False
    parts: parts_.Parts | None = None


def train_epochs(examples, epochs, first_step, batching, targets, views):
    """Shuffled, augmented training batches of several epochs.

    Args:
        examples: `Examples` whose inputs are a reader.
        epochs: A `range` of epoch indices.
        first_step: How many batches of the first epoch are left out.
        batching: A `Batching`.
        targets: A `targets.Targets`.
        views: The `Views` of the examples; their seed is that of the order
            too.

    Returns:
        A `tf.data.Dataset`, see `Data.train_epochs`.
    """
    read_inputs = _reader(examples.inputs, views)
    size, parts = batching.size, batching.parts
    num_examples = len(examples)
    steps = num_batches(num_examples, size, batching.drop_remainder)
    all_labels = _labels(examples)
    # Examples are mixed with the one behind, which may be another replica's.
    one_more = parts is not None and views.augmentation.mixes_labels

    def index_batches(epoch):
        order = randomness.permutation(
            num_examples, seed=views.seed, epoch=epoch
        )
        numbers = views.tables(num_examples, epoch)

        def batch(step):
            return with_numbers(order[step * size : (step + 1) * size])

        def part(number):
            step = number // parts.count
            indices = order[step * size : (step + 1) * size]
            positions, share = parts.positions(
                tf.size(indices, tf.int64), number, one_more=one_more
            )
            return *with_numbers(tf.gather(indices, positions)), share

        def with_numbers(indices):
            return indices, {
                name: tf.gather(table, indices)
                for name, table in numbers.items()
            }

        if parts is None:
            return tf.data.Dataset.range(steps).map(batch)
        return tf.data.Dataset.range(steps * parts.count).map(part)

    def read(indices, numbers):
        labels = targets.encode(tf.gather(all_labels, indices))
        inputs, labels = read_inputs(indices, labels, numbers)
        return targets.element(inputs, labels)

    def read_part(indices, numbers, share):
        part = parts_.Part(read(indices, numbers), share)
        return parts_.without_last(part) if one_more else part

    each = 1 if parts is None else parts.count
    indices = tf.data.Dataset.range(epochs.start, epochs.stop)
    indices = indices.flat_map(index_batches).skip(first_step * each)
    return _finish(
        indices.map(
            read if parts is None else read_part,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        ),
        (steps * len(epochs) - first_step) * each,
    )


def _reader(reader, views):
    """A function to augmented inputs, whether they are images or features."""
    if not isinstance(reader, features.Features):
        return lambda indices, labels, numbers: transforms.augment(
            reader.read(indices), labels, numbers, views.augmentation
        )

    def read(indices, labels, numbers):
        kept = reader.read(indices, numbers["view"])
        if not views.augmentation.mixes_labels:
            return kept, labels
        mixed = [transforms.mixup(k, labels, numbers["mixup"]) for k in kept]
        return tuple(k for k, _ in mixed), mixed[0][1]

    return read


def shuffled(examples, batch_size: int, *, seed: int):
    """Batches of all examples, in another order at each iteration."""
    count = len(examples)
    indices = tf.data.Dataset.range(count).shuffle(
        count, seed=seed, reshuffle_each_iteration=True
    )
    return _read(indices.batch(batch_size), examples, batch_size)


def in_order(examples, batch_size: int, parts=None):
    """Batches of all examples, or parts of them, in stored order."""
    indices = tf.data.Dataset.range(len(examples)).batch(batch_size)
    return _read(indices, examples, batch_size, parts)


def num_batches(num_examples: int, batch_size: int, drop_remainder: bool):
    """How many batches an epoch has."""
    if drop_remainder:
        return num_examples // batch_size
    return -(-num_examples // batch_size)


def _read(indices, examples, batch_size, parts=None):
    all_labels = _labels(examples)

    def read(batch):
        return examples.inputs.read(batch), tf.gather(all_labels, batch)

    def read_part(part):
        (batch,) = part.batch
        return parts_.Part(read(batch), part.share)

    count = num_batches(len(examples), batch_size, False)
    if parts is not None:
        indices, count = parts.of(indices), count * parts.count
    batches = indices.map(
        read if parts is None else read_part,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return _finish(batches, count)


def _labels(examples):
    with tf.device("CPU:0"):
        return tf.constant(examples.labels, tf.int32)


def _finish(batches, count):
    options = tf.data.Options()
    # Each worker of a distributed run takes its part of the batches; there
    # are no files that could be divided among them.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    batches = batches.apply(tf.data.experimental.assert_cardinality(count))
    return prefetching.prefetched(batches).with_options(options)
