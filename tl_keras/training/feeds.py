"""What `fit` reads: a Data value or a bare dataset, behind one face."""

import dataclasses

import keras
import tensorflow as tf

from tl_keras import checks
from tl_keras import graph
from tl_keras.data import parts as parts_
from tl_keras.data import prefetching
from tl_keras.data import targets
from tl_keras.data.augmentation import Augmentation
from tl_keras.training import losses
from tl_keras.training import training_model


@dataclasses.dataclass(frozen=True)
class DataFeed:
    """Batches of a `tl_keras.data.Data` value.

    Attributes:
        data: The value.
        class_weight: Class number to weight, or None.
    """

    data: object
    class_weight: dict[int, float] | None = None

    @property
    def validates(self) -> bool:
        return self.data.validation is not None

    @property
    def steps_per_epoch(self) -> int:
        return self.data.steps_per_epoch()

    @property
    def validation_steps(self) -> int:
        return -(-self.data.num_examples["validation"] // self.data.batch_size)

    def train(
        self,
        phase,
        first_epoch: int,
        epochs: int,
        first_step: int = 0,
        parts=None,
    ) -> tf.data.Dataset:
        return self.data.train_epochs(
            first_epoch=first_epoch,
            epochs=epochs,
            first_step=first_step,
            augmentation=phase.augmentation,
            repeat_after=phase.cache_views,
            label_smoothing=phase.label_smoothing,
            class_weight=self.class_weight,
            parts=parts,
        )

    def validation(self, parts=None) -> tf.data.Dataset | None:
        if not self.validates:
            return None
        return self.data.evaluation_batches("validation", parts=parts)


@dataclasses.dataclass(frozen=True)
class DatasetFeed:
    """Batches of a `tf.data.Dataset` that was made elsewhere.

    Its order and augmentation are its own.

    Attributes:
        dataset: Batches `(inputs, labels)` or `(inputs, labels, weights)`.
        validation_dataset: The same for validation, or None.
        steps_per_epoch: Number of batches.
        validation_steps: Number of validation batches.
        num_classes: Number of classes, or None if the labels are no classes.
        class_weight: Class number to weight, or None.
    """

    dataset: tf.data.Dataset
    validation_dataset: tf.data.Dataset | None
    steps_per_epoch: int
    validation_steps: int
    num_classes: int | None
    class_weight: dict[int, float] | None = None

    @property
    def validates(self) -> bool:
        return self.validation_dataset is not None

    def train(
        self,
        phase,
        first_epoch: int,
        epochs: int,
        first_step: int = 0,
        parts=None,
    ) -> tf.data.Dataset:
        if phase.augmentation != Augmentation():
            raise ValueError(
                f"Phase {phase.name!r} augments, which a bare dataset cannot: "
                "its examples have no index. Got: "
                f"{phase.augmentation}. Augment in the dataset, or make it "
                "with `tl_keras.data.from_arrays` or `tl_keras.data.load`."
            )
        dataset = self.dataset.repeat(epochs).skip(first_step)
        dataset = self._with_targets(dataset, phase.label_smoothing)
        if parts is not None:
            dataset = parts.of(dataset)
        return prefetching.prefetched(dataset)

    def validation(self, parts=None) -> tf.data.Dataset | None:
        dataset = self.validation_dataset
        if dataset is None:
            return None
        if self.num_classes is not None:
            dataset = dataset.map(
                lambda inputs, labels, *weights: (
                    inputs,
                    self._checked(labels),
                    *weights,
                )
            )
        if parts is not None:
            dataset = parts.of(dataset)
        return prefetching.prefetched(dataset)

    def _with_targets(self, dataset, label_smoothing):
        if self.num_classes is None:
            if label_smoothing or self.class_weight is not None:
                raise ValueError(
                    "Label smoothing and class weights need classes. Got a "
                    "`loss` of your own, whose labels may be something else. "
                    "Leave `loss` out, or do both in the dataset."
                )
            return dataset
        are_rows = _are_rows(dataset.element_spec[1], self.num_classes)
        encode = targets.Targets(
            self.num_classes,
            as_rows=are_rows or label_smoothing > 0.0,
            label_smoothing=label_smoothing,
            weights=targets.class_weight_vector(
                self.class_weight, self.num_classes
            ),
        )

        def element(inputs, labels, *own_weights):
            labels = self._checked(labels)
            if encode.as_rows:
                labels = losses.class_probabilities(labels, self.num_classes)
            inputs, labels, *weights = encode.element(inputs, labels)
            if weights and own_weights:
                own = tf.cast(own_weights[0], weights[0].dtype)
                weights = [weights[0] * own]
            return inputs, labels, *(weights or own_weights)

        return dataset.map(element, tf.data.AUTOTUNE)

    def _checked(self, labels):
        """Labels as they are; class numbers as int32, each of a class."""
        if _are_rows(labels, self.num_classes):
            return tf.cast(labels, tf.float32)
        whole = _checks_of_whole_numbers(labels)
        with tf.control_dependencies(whole):
            numbers = tf.cast(labels, tf.int32)
        if labels.shape.rank == 2:
            numbers = tf.squeeze(numbers, axis=-1)
        message = (
            f"A label is out of range. Expected 0 to {self.num_classes - 1}, "
            f"as the model has {self.num_classes} outputs."
        )
        checked = [
            tf.debugging.assert_non_negative(numbers, message),
            tf.debugging.assert_less(numbers, self.num_classes, message),
        ]
        with tf.control_dependencies(checked):
            return tf.identity(numbers)


def _checks_of_whole_numbers(labels) -> list:
    if labels.dtype == tf.string:
        raise TypeError(
            "The labels of the dataset are strings. Expected class numbers "
            "from 0 on; map names to numbers first."
        )
    if not labels.dtype.is_floating:
        return []
    message = "A label is no whole number. Expected class numbers."
    return [tf.debugging.assert_equal(labels, tf.round(labels), message)]


@dataclasses.dataclass(frozen=True)
class BegunFeed:
    """Batches of another feed whose inputs have gone through a beginning.

    Attributes:
        feed: The other feed.
        model: The user's model.
        beginning: The first part of its graph, which has no weights.
    """

    feed: DataFeed | DatasetFeed
    model: keras.Model
    beginning: graph.Flat

    @property
    def validates(self) -> bool:
        return self.feed.validates

    @property
    def steps_per_epoch(self) -> int:
        return self.feed.steps_per_epoch

    @property
    def validation_steps(self) -> int:
        return self.feed.validation_steps

    def train(
        self,
        phase,
        first_epoch: int,
        epochs: int,
        first_step: int = 0,
        parts=None,
    ) -> tf.data.Dataset:
        return self._begun(
            self.feed.train(phase, first_epoch, epochs, first_step, parts)
        )

    def validation(self, parts=None) -> tf.data.Dataset | None:
        return self._begun(self.feed.validation(parts))

    def _begun(self, dataset):
        if dataset is None:
            return None

        def begin(inputs, *rest):
            inputs = graph.as_declared(self.model, inputs)
            outputs = self.beginning.run(inputs, training_model.infer)
            return tuple(outputs), *rest

        def element(*given):
            if isinstance(given[0], parts_.Part):
                return given[0]._replace(batch=begin(*given[0].batch))
            return begin(*given)

        dataset = dataset.map(element, tf.data.AUTOTUNE, deterministic=True)
        return prefetching.prefetched(dataset)


def _are_rows(labels, num_classes: int) -> bool:
    """Whether labels are probabilities `(batch, num_classes)`."""
    return labels.shape.rank == 2 and labels.shape[-1] == num_classes


def make(
    data, validation_data, *, num_classes, class_weight, seed
) -> DataFeed | DatasetFeed:
    """The feed of what a user handed to `fit`.

    Args:
        data: A `tl_keras.data.Data` value or a `tf.data.Dataset`.
        validation_data: A `tf.data.Dataset` for a bare dataset, or None.
        num_classes: The model's number of classes, or None if its labels may
            be something else.
        class_weight: `"balanced"`, class number to weight, or None.
        seed: Of order and augmentation.

    Raises:
        TypeError, ValueError: If it is something else, empty or endless, or
            does not fit the model.
    """
    if isinstance(class_weight, str):
        checks.one_of(class_weight, ["balanced"], name="class_weight")
    if hasattr(data, "train_epochs"):
        return _of_data(data, validation_data, num_classes, class_weight, seed)
    _check_dataset(data, "data")
    if class_weight == "balanced":
        raise ValueError(
            "`class_weight='balanced'` counts labels, which a bare dataset "
            "does not list. Pass a dict of class number to weight."
        )
    validation_steps = 0
    if validation_data is not None:
        _check_dataset(validation_data, "validation_data")
        validation_steps = _number_of_batches(
            validation_data, "validation_data"
        )
    return DatasetFeed(
        data,
        validation_data,
        _number_of_batches(data, "data"),
        validation_steps,
        num_classes,
        class_weight,
    )


def _of_data(data, validation_data, num_classes, class_weight, seed):
    if validation_data is not None:
        raise ValueError(
            "`validation_data` goes with a bare dataset. This data has a "
            "validation part of its own, or was made with "
            "`validation=False`."
        )
    if num_classes is not None and data.num_classes != num_classes:
        raise ValueError(
            "Data and model differ in their number of classes. Got: "
            f"{data.num_classes} in the data, {num_classes} in the "
            "model. Build the head with "
            "`num_classes=data.num_classes`."
        )
    if class_weight == "balanced":
        class_weight = data.class_weight_balanced()
    return DataFeed(dataclasses.replace(data, seed=seed), class_weight)


def _check_dataset(dataset, name: str):
    """Refuses what is not a dataset of batches with labels."""
    checks.instance(
        dataset,
        tf.data.Dataset,
        name=name,
        hint="Use `tl_keras.data.load`, `tl_keras.data.from_arrays(train=(x, "
        "y))` or a batched `tf.data.Dataset` of (images, labels).",
    )
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            f"`{name}` has elements of another form. Got: {spec}. Expected "
            "`(images, labels)` or `(images, labels, weights)`."
        )
    if getattr(spec[1], "shape", None) == ():
        raise ValueError(
            f"`{name}` is not batched. Got elements with a single label: "
            f"{spec}. Write `dataset.batch(32)`."
        )


def _number_of_batches(dataset, name: str) -> int:
    count = int(dataset.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            f"`{name}` never ends, so that an epoch has no length. Take off "
            "`.repeat()`, or add `.take(steps)`."
        )
    if count == tf.data.UNKNOWN_CARDINALITY:
        count = sum(1 for _ in dataset)
    if count == 0:
        raise ValueError(
            f"`{name}` is empty. Expected at least one batch; a dataset from a "
            "generator can be read only once: make it anew."
        )
    return count
