"""Batches that are all of one size, as a TPU needs them.

XLA compiles a step for the shapes that it is called with: another size of a
batch would be another step, and on a TPU sizes have to be known beforehand.
"""

import dataclasses

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class StaticFeed:
    """Batches of another feed, each of `batch_size` examples.

    In training, what is left at the end of an epoch is left out. In
    validation it is filled up with examples that weigh nothing, and the
    others weigh so much more that each mean over the examples is as without.

    Attributes:
        feed: The other feed.
        batch_size: Examples of each batch.
        steps_per_epoch: Whole batches of an epoch, at least 1.
        validation_examples: Number of validation examples.
    """

    feed: object
    batch_size: int
    steps_per_epoch: int
    validation_examples: int

    @property
    def validates(self) -> bool:
        return self.feed.validates

    @property
    def validation_steps(self) -> int:
        return -(-self.validation_examples // self.batch_size)

    def train(
        self,
        phase,
        first_epoch: int,
        epochs: int,
        first_step: int = 0,
        parts=None,
    ) -> tf.data.Dataset:
        batches = self.feed.train(phase, first_epoch, epochs, first_step)
        batches = batches.filter(
            lambda *batch: tf.equal(_length(batch), self.batch_size)
        )
        return self._finished(batches, parts)

    def validation(self, parts=None) -> tf.data.Dataset | None:
        batches = self.feed.validation()
        if batches is None:
            return None
        if len(batches.element_spec) > 2:
            raise ValueError(
                "On a TPU, validation examples go without weights of their "
                "own: they are weighted to fill up the last batch. Got: "
                f"{batches.element_spec}. Expected (inputs, labels)."
            )
        batches = batches.rebatch(self.batch_size).map(self._filled)
        return self._finished(batches, parts)

    def _filled(self, inputs, labels):
        """A batch of the full size, with weights."""
        count = _length((inputs,))
        # Copies of its first example fill it up.
        positions = tf.range(self.batch_size)
        positions = tf.where(positions < count, positions, 0)
        total = self.validation_steps * self.batch_size
        weight = tf.where(
            tf.range(self.batch_size) < count,
            tf.constant(total / self.validation_examples, tf.float32),
            0.0,
        )
        return *tf.nest.map_structure(
            lambda value: tf.gather(value, positions), (inputs, labels)
        ), weight

    def _finished(self, batches, parts):
        batches = _of_size(batches, self.batch_size)
        if parts is None:
            return batches
        size = self.batch_size // parts.total
        return parts.of(batches).map(
            lambda part: part._replace(batch=_with_size(part.batch, size))
        )


def of(feed) -> StaticFeed:
    """The feed with batches of one size, that of its first one.

    Args:
        feed: A `DataFeed`, `DatasetFeed` or `BegunFeed`.

    Raises:
        ValueError: If the replicas cannot share such a batch evenly, or the
            training data are less than one.
    """
    root = getattr(feed, "feed", feed)
    if hasattr(root, "data"):
        counts = root.data.num_examples
        batch_size = root.data.batch_size
        steps = counts["train"] // batch_size
        validation_examples = counts["validation"]
    else:
        sizes = _sizes(root.dataset)
        batch_size = sizes[0]
        steps = sizes.count(batch_size)
        validation_examples = 0
        if root.validates:
            validation_examples = sum(_sizes(root.validation_dataset))
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if batch_size % replicas:
        raise ValueError(
            f"{replicas} cores of a TPU cannot share a batch evenly. Got "
            f"batches of {batch_size}. Expected a multiple of {replicas}."
        )
    if not steps:
        raise ValueError(
            "The training data are less than one batch, and a TPU needs whole "
            f"ones. Got: batches of {batch_size}. Lower `batch_size`."
        )
    return StaticFeed(feed, batch_size, steps, validation_examples)


def _sizes(dataset) -> list[int]:
    return [int(_length(batch)) for batch in dataset]


def _length(batch):
    return tf.shape(keras.tree.flatten(batch)[0])[0]


def _of_size(batches, size):
    return batches.map(lambda *batch: _with_size(batch, size))


def _with_size(batch, size):
    return tf.nest.map_structure(
        lambda value: tf.ensure_shape(value, [size, *value.shape[1:]]), batch
    )
