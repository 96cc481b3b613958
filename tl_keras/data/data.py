"""`Data`: labelled examples, split and ready to be batched."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.data import augmentation as augmentation_
from tl_keras.data import examples as examples_
from tl_keras.data import features
from tl_keras.data import parts as parts_
from tl_keras.data import pipeline
from tl_keras.data import targets
from tl_keras.data import views

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Data:
    """Labelled examples in up to three splits, from `load` or `from_arrays`.

    `train`, `validation` and `test` are views as a `tf.data.Dataset` for plain
    Keras; `train_epochs` has what training in phases needs: epochs by number,
    augmentation, label smoothing and class weights.

    Attributes:
        name: What the data was loaded by, e.g. `"cifar10"`.
        class_names: Names by label.
        input_spec: What its inputs are: an `ImageSpec`, `TextSpec` or
            `AudioSpec`.
        batch_size: Examples per batch.
        seed: Seed of the order, of the augmentation, and of the validation
            part where it was split off.
        keep_aspect_ratio: Whether images were cut to a square, not squeezed.
        fingerprint: 32 hexadecimal digits: a hash of the inputs' content as
            it was found, the labels, the class names, and which
            example is in which split.
        splits: Dict of split name to `Examples`.
        excluded: How many examples were left out by `exclude`, by the part of
            the source that they were in.

    Example:
        >>> import tl_keras
        >>> data = tl_keras.data.load("digits", image_size=16, batch_size=64)
        >>> images, labels = next(iter(data.train))
        >>> tuple(images.shape), images.dtype.name
        ((64, 16, 16, 3), 'uint8')
    """

    name: str
    class_names: tuple[str, ...]
    input_spec: input_specs.InputSpec
    batch_size: int
    seed: int
    keep_aspect_ratio: bool
    fingerprint: str
    splits: dict[str, examples_.Examples] = dataclasses.field(repr=False)
    excluded: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def num_examples(self) -> dict[str, int]:
        """Number of examples by split; a split that does not exist has 0."""
        return {split: len(self.splits.get(split, ())) for split in SPLITS}

    @functools.cached_property
    def train(self) -> tf.data.Dataset:
        """The training part, in a new order at each iteration, unaugmented.

        The order follows from `seed`, and from TensorFlow's global seed where
        one is set; `train_epochs` follows from `seed` alone.

        Elements are `(inputs, labels)`. Inputs are `[batch, size, size,
        channels]` images, uint8 (float32 if the data was made of float
        arrays) in 0..255; or texts, string `[batch]`; or waveforms, float32
        `[batch, samples]` in -1..1 (`[batch, samples, channels]` with several
        channels). Labels are int32 `[batch]`. The last batch may be smaller.
        """
        return pipeline.shuffled(
            self.splits["train"], self.batch_size, seed=self.seed
        )

    @functools.cached_property
    def validation(self) -> tf.data.Dataset | None:
        """The validation part in stored order, elements as in `train`."""
        return self._in_order("validation")

    @functools.cached_property
    def test(self) -> tf.data.Dataset | None:
        """The test part in stored order, elements as in `train`."""
        return self._in_order("test")

    def labels(self, split: str) -> np.ndarray:
        """The labels of a split in stored order, np.int64 `[examples]`.

        Example:
            >>> import tl_keras
            >>> data = tl_keras.data.load("digits")
            >>> len(data.labels("test")) == data.num_examples["test"]
            True
        """
        return self._split(split).labels.copy()

    def ids(self, split: str) -> list[str]:
        """What identifies each example of a split, in stored order.

        The path of its file, the id that the source gives it, or its position
        in the source.

        Example:
            >>> import tl_keras
            >>> data = tl_keras.data.load("digits")
            >>> len(set(data.ids("train"))) == data.num_examples["train"]
            True
        """
        return self._split(split).ids.tolist()

    def columns(self, split: str) -> dict[str, np.ndarray]:
        """What else is known of each example of a split, in stored order.

        The other columns of a table, the folders of files within their class
        folder, other single values of TensorFlow Datasets.

        Returns:
            Column name to an array `[examples]` of texts or numbers.

        Example:
            >>> import tl_keras
            >>> tl_keras.data.load("digits").columns("test")
            {}
        """
        return dict(self._split(split).columns)

    def train_epochs(
        self,
        *,
        first_epoch: int = 0,
        epochs: int = 1,
        first_step: int = 0,
        augmentation: augmentation_.Augmentation | None = None,
        repeat_after: int | None = None,
        label_smoothing: float = 0.0,
        class_weight: dict[int, float] | None = None,
        drop_remainder: bool = False,
        parts: parts_.Parts | None = None,
    ) -> tf.data.Dataset:
        """Training batches of some epochs, one epoch after another.

        The order is a permutation of (seed, epoch), and an image's
        augmentation a function of (seed, epoch, index of the example): epoch
        5 is the same whether the data set starts there or earlier, and on how
        many threads it runs.

        Args:
            first_epoch: Index of the first epoch, at least 0.
            epochs: Number of epochs, at least 1.
            first_step: How many batches of the first epoch are left out: at
                least 0, and not all of them. They are not read.
            augmentation: What to change in the images; None for nothing.
            repeat_after: After how many epochs the changed images come again,
                at least 1; None for never. MixUp and CutMix are new in every
                epoch all the same.
            label_smoothing: Share of each label's probability that is spread
                evenly over all classes, in [0, 1).
            class_weight: Dict of label to weight, as Keras takes it (a label
                that is missing weighs 1), e.g. `class_weight_balanced()`.
            drop_remainder: Whether to leave out an epoch's last batch where
                it is smaller than the others.
            parts: Which parts of each batch are wanted, where replicas share
                them; nothing else is read. None for whole batches.

        Returns:
            A `tf.data.Dataset` of `epochs * steps_per_epoch(drop_remainder)`
            elements less `first_step`, `(inputs, labels)`, or with
            `class_weight` `(inputs, labels, weights)`. Inputs as in `train`.
            Labels are int32 `[batch]`, or with label smoothing, MixUp or
            CutMix float32 `[batch, num_classes]`. Weights are float32
            `[batch]`; a mixed example weighs as its classes do, by share.
            With `parts`, a `Part` for each of them in place of a batch.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If an argument is out of its range, if the images have
                a transparency channel, which RandAugment cannot change, or if
                there is augmentation and the data are no images.

        Example:
            >>> import tl_keras
            >>> data = tl_keras.data.load("digits", batch_size=256)
            >>> flips = tl_keras.data.Augmentation(flip=True)
            >>> batches = data.train_epochs(epochs=2, augmentation=flips)
            >>> len(batches) == 2 * data.steps_per_epoch()
            True
        """
        checks.integer(first_epoch, name="first_epoch")
        checks.integer(epochs, name="epochs", low=1)
        checks.integer(first_step, name="first_step")
        steps = self.steps_per_epoch(drop_remainder)
        if first_step and first_step >= steps:
            raise ValueError(
                f"`first_step` is too large. Got: {first_step}. Expected less "
                f"than {steps}, the batches of an epoch; set `first_epoch`."
            )
        checks.share(label_smoothing, name="label_smoothing")
        if repeat_after is not None:
            checks.integer(repeat_after, name="repeat_after", low=1)
        augmentation = self._checked(augmentation)
        return pipeline.train_epochs(
            self.splits["train"],
            range(first_epoch, first_epoch + epochs),
            first_step,
            pipeline.Batching(self.batch_size, drop_remainder, parts),
            targets.Targets(
                self.num_classes,
                as_rows=label_smoothing > 0 or augmentation.mixes_labels,
                label_smoothing=label_smoothing,
                weights=targets.class_weight_vector(
                    class_weight, self.num_classes
                ),
            ),
            views.Views(augmentation, repeat_after, self.seed),
        )

    def steps_per_epoch(self, drop_remainder: bool = False) -> int:
        """Number of training batches in an epoch.

        Example:
            >>> import tl_keras
            >>> data = tl_keras.data.load("digits", batch_size=256)
            >>> data.steps_per_epoch() - data.steps_per_epoch(True)
            1
        """
        return pipeline.num_batches(
            self.num_examples["train"], self.batch_size, drop_remainder
        )

    def evaluation_batches(
        self, split: str, *, parts: parts_.Parts | None = None
    ) -> tf.data.Dataset:
        """A split in stored order, in batches of up to `batch_size`.

        Args:
            split: `"train"`, `"validation"` or `"test"`.
            parts: Which parts of each batch are wanted, where replicas share
                them; nothing else is read. None for whole batches.

        Returns:
            A `tf.data.Dataset` of `(inputs, labels)` as in `train`, or with
            `parts` of a `Part` for each of them.

        Raises:
            ValueError: If there is no such split.

        Example:
            >>> import tl_keras
            >>> data = tl_keras.data.load("digits", batch_size=32)
            >>> images, labels = next(iter(data.evaluation_batches("test")))
            >>> len(labels)
            32
        """
        return pipeline.in_order(self._split(split), self.batch_size, parts)

    def class_weight_balanced(self) -> dict[int, float]:
        """Weights by label under which all classes weigh the same together.

        From the training labels, as scikit-learn's "balanced"; the mean over
        the training examples is 1. For `train_epochs` or `fit`.

        Example:
            >>> import tl_keras
            >>> weights = tl_keras.data.load("digits").class_weight_balanced()
            >>> len(weights), 0.9 < weights[0] < 1.1
            (10, True)
        """
        return targets.balanced_weights(
            self.splits["train"].labels, self.num_classes
        )

    def _split(self, split):
        return self.splits[
            checks.one_of(split, list(self.splits), name="split")
        ]

    def _in_order(self, split):
        if split not in self.splits:
            return None
        return pipeline.in_order(self.splits[split], self.batch_size)

    def _checked(self, augmentation):
        if augmentation is None:
            return augmentation_.Augmentation()
        checks.instance(
            augmentation, augmentation_.Augmentation, name="augmentation"
        )
        reader = self.splits["train"].inputs
        if augmentation.mix_features != isinstance(reader, features.Features):
            if augmentation.mix_features or augmentation.mixes_labels:
                raise ValueError(
                    "`mix_features` blends the features that a prefix cache "
                    f"keeps, and nothing else does. Got: {augmentation}, and "
                    f"{type(reader).__name__} to read. Set it for phases that "
                    "train with the cache, and for no others."
                )
        if self.input_spec.kind != "image":
            if augmentation == augmentation_.Augmentation():
                return augmentation
            raise ValueError(
                f"Augmentation changes images, and this data is of "
                f"{self.input_spec}. Got: {augmentation}. Leave it out."
            )
        if augmentation.rand_augment_layers and self.input_spec.channels == 4:
            raise ValueError(
                "RandAugment changes colours, and these images have a "
                "transparency channel. Got: channels=4. Expected 1 or 3; set "
                "`rand_augment_layers=0` or load the data with `channels=3`."
            )
        return augmentation
