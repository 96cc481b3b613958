"""What `fit` reads: a Data value or a bare dataset, behind one face."""

import dataclasses

import tensorflow as tf

from tl_keras import checks
from tl_keras.data.augmentation import Augmentation
from tl_keras.training import losses


@dataclasses.dataclass(frozen=True)
class DataFeed:
    """Batches of a `tl_keras.data.Data` value.

    Attributes:
        data: The value.
        replicas: Number of devices that share a batch.
        class_weight: Class number to weight, or None.
    """

    data: object
    replicas: int = 1
    class_weight: dict[int, float] | None = None

    @property
    def validates(self) -> bool:
        return self.data.validation is not None

    @property
    def steps_per_epoch(self) -> int:
        return self.data.steps_per_epoch(drop_remainder=self.replicas > 1)

    def train(self, phase, first_epoch: int, epochs: int) -> tf.data.Dataset:
        return self.data.train_epochs(
            first_epoch=first_epoch,
            epochs=epochs,
            augmentation=phase.augmentation,
            label_smoothing=phase.label_smoothing,
            class_weight=self.class_weight,
            drop_remainder=self.replicas > 1,
        )

    def validation(self) -> tf.data.Dataset | None:
        if not self.validates:
            return None
        return self.data.evaluation_batches(
            "validation", multiple_of=self.replicas
        )


@dataclasses.dataclass(frozen=True)
class DatasetFeed:
    """Batches of a `tf.data.Dataset` that was made elsewhere.

    Its order and augmentation are its own.

    Attributes:
        dataset: Batches `(images, labels)` or `(images, labels, weights)`.
        validation_dataset: The same for validation, or None.
        steps_per_epoch: Number of batches.
        num_classes: For label smoothing.
        class_weight: Class number to weight, or None.
    """

    dataset: tf.data.Dataset
    validation_dataset: tf.data.Dataset | None
    steps_per_epoch: int
    num_classes: int
    class_weight: dict[int, float] | None = None

    @property
    def validates(self) -> bool:
        return self.validation_dataset is not None

    def train(self, phase, first_epoch: int, epochs: int) -> tf.data.Dataset:
        if phase.augmentation != Augmentation():
            raise ValueError(
                f"Phase {phase.name!r} augments, which a bare dataset cannot: "
                "its examples have no index. Got: "
                f"{phase.augmentation}. Augment in the dataset, or make it "
                "with `tl_keras.data.from_arrays` or `tl_keras.data.load`."
            )
        dataset = self.dataset
        if self.class_weight is not None:
            dataset = dataset.map(self._weigh, tf.data.AUTOTUNE)
        if phase.label_smoothing:
            dataset = dataset.map(
                lambda images, labels, *weights: (
                    images,
                    self._smooth(labels, phase.label_smoothing),
                    *weights,
                ),
                tf.data.AUTOTUNE,
            )
        return dataset.repeat(epochs).prefetch(tf.data.AUTOTUNE)

    def validation(self) -> tf.data.Dataset | None:
        return self.validation_dataset

    def _weigh(self, images, labels, weights=None):
        by_class = tf.constant(
            [self.class_weight.get(k, 1.0) for k in range(self.num_classes)]
        )
        of_example = tf.linalg.matvec(
            losses.class_probabilities(labels, self.num_classes), by_class
        )
        if weights is not None:
            of_example *= tf.cast(weights, of_example.dtype)
        return images, labels, of_example

    def _smooth(self, labels, share: float):
        right = losses.class_probabilities(labels, self.num_classes)
        return right * (1.0 - share) + share / self.num_classes


def make(
    data, validation_data, *, num_classes, replicas, class_weight, seed
) -> DataFeed | DatasetFeed:
    """The feed of what a user handed to `fit`.

    Args:
        data: A `tl_keras.data.Data` value or a `tf.data.Dataset`.
        validation_data: A `tf.data.Dataset` for a bare dataset, or None.
        num_classes: The model's number of classes.
        replicas: Number of devices that share a batch.
        class_weight: `"balanced"`, class number to weight, or None.
        seed: Of order and augmentation.

    Raises:
        TypeError, ValueError: If it is something else, empty or endless, or
            does not fit the model.
    """
    if hasattr(data, "train_epochs"):
        if validation_data is not None:
            raise ValueError(
                "`validation_data` goes with a bare dataset. This data has a "
                "validation part of its own, or was made with "
                "`validation=False`."
            )
        if data.num_classes != num_classes:
            raise ValueError(
                "Data and model differ in their number of classes. Got: "
                f"{data.num_classes} in the data, {num_classes} in the "
                "model. Build the head with "
                "`num_classes=data.num_classes`."
            )
        if class_weight == "balanced":
            class_weight = data.class_weight_balanced()
        return DataFeed(
            dataclasses.replace(data, seed=seed), replicas, class_weight
        )
    checks.instance(
        data,
        tf.data.Dataset,
        name="data",
        hint="Use `tl_keras.data.load`, `tl_keras.data.from_arrays(train=(x, "
        "y))` or a batched `tf.data.Dataset` of (images, labels).",
    )
    if class_weight == "balanced":
        raise ValueError(
            "`class_weight='balanced'` counts labels, which a bare dataset "
            "does not list. Pass a dict of class number to weight."
        )
    dataset = _shareable(data, replicas)
    return DatasetFeed(
        dataset,
        validation_data,
        _number_of_batches(dataset),
        num_classes,
        class_weight,
    )


def _shareable(dataset, replicas):
    """Batches that every replica gets an equal part of."""
    if replicas == 1:
        return dataset
    first = next(iter(dataset), None)
    if first is None:
        return dataset
    batch_size = int(tf.shape(first[1])[0])
    if batch_size % replicas:
        raise ValueError(
            f"{replicas} replicas cannot share a batch evenly. Got batches "
            f"of {batch_size}. Expected a multiple of {replicas}."
        )
    return dataset.rebatch(batch_size, drop_remainder=True)


def _number_of_batches(dataset) -> int:
    count = int(dataset.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "`data` never ends, so that an epoch has no length. Take off "
            "`.repeat()`, or add `.take(steps)`."
        )
    if count == tf.data.UNKNOWN_CARDINALITY:
        count = sum(1 for _ in dataset)
    if count == 0:
        raise ValueError(
            "`data` is empty. Expected at least one batch; a dataset from a "
            "generator can be read only once: make it anew."
        )
    return count
