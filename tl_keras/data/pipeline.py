"""From examples to data sets of batches.

Only indices are shuffled and batched; inputs are read and augmented a batch at
a time, several batches in parallel, and handed on in order.
"""

import tensorflow as tf

from tl_keras.data import features
from tl_keras.data import randomness
from tl_keras.data import transforms


def train_epochs(examples, epochs, first_step, batches, targets, views):
    """Shuffled, augmented training batches of several epochs.

    Args:
        examples: `Examples` whose inputs are a reader.
        epochs: A `range` of epoch indices.
        first_step: How many batches of the first epoch are left out.
        batches: `(batch size, whether to drop a last one that is smaller)`.
        targets: A `targets.Targets`.
        views: The `Views` of the examples; their seed is that of the order
            too.

    Returns:
        A `tf.data.Dataset`, see `Data.train_epochs`.
    """
    read_inputs = _reader(examples.inputs, views)
    batch_size, drop_remainder = batches
    num_examples = len(examples)
    steps = num_batches(num_examples, batch_size, drop_remainder)
    all_labels = _labels(examples)

    def index_batches(epoch):
        order = randomness.permutation(
            num_examples, seed=views.seed, epoch=epoch
        )
        numbers = views.tables(num_examples, epoch)

        def batch(step):
            indices = order[step * batch_size : (step + 1) * batch_size]
            return indices, {
                name: tf.gather(table, indices)
                for name, table in numbers.items()
            }

        return tf.data.Dataset.range(steps).map(batch)

    def read(indices, numbers):
        labels = targets.encode(tf.gather(all_labels, indices))
        inputs, labels = read_inputs(indices, labels, numbers)
        return targets.element(inputs, labels)

    indices = tf.data.Dataset.range(epochs.start, epochs.stop)
    indices = indices.flat_map(index_batches).skip(first_step)
    return _finish(
        indices.map(
            read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        ),
        steps * len(epochs) - first_step,
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


def in_order(examples, batch_size: int):
    """Batches of all examples, in stored order; none is dropped."""
    indices = tf.data.Dataset.range(len(examples)).batch(batch_size)
    return _read(indices, examples, batch_size)


def num_batches(num_examples: int, batch_size: int, drop_remainder: bool):
    """How many batches an epoch has."""
    if drop_remainder:
        return num_examples // batch_size
    return -(-num_examples // batch_size)


def _read(indices, examples, batch_size):
    all_labels = _labels(examples)

    def read(batch):
        return examples.inputs.read(batch), tf.gather(all_labels, batch)

    batches = indices.map(
        read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return _finish(batches, num_batches(len(examples), batch_size, False))


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
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)
