"""How well a classifier does on corrupted images."""

import dataclasses

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras.data import prefetching
from tl_keras.evaluation import corruptions
from tl_keras.evaluation import predictions

_NORMAL_95 = 1.959964


@dataclasses.dataclass(frozen=True, kw_only=True)
class Robustness:
    """What `evaluate` found out; the `robustness` part of `results.json`.

    Attributes:
        num_examples: How many images were corrupted.
        seed: Of the choice of images and of the noise.
        clean_accuracy: On the same images as they are.
        mean_accuracy: Over all corruptions and severities.
        mean_accuracy_interval: 95% interval of it for other images of this
            kind, from the normal distribution: the mean over images of the
            share of their corruptions that the model sees through.
        relative_accuracy: Mean accuracy as a share of the clean one; None
            where that is 0.
        by_severity: Accuracy over all corruptions at each severity.
        by_corruption: Name to accuracy over all severities.
        accuracy: Name to accuracy at each severity.
    """

    num_examples: int
    seed: int
    clean_accuracy: float
    mean_accuracy: float
    mean_accuracy_interval: tuple[float, float]
    relative_accuracy: float | None
    by_severity: list[float]
    by_corruption: dict[str, float]
    accuracy: dict[str, list[float]]

    def as_dict(self) -> dict:
        """The fields as plain numbers, lists and dicts, ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self):
        low, high = self.mean_accuracy_interval
        lines = [
            f"{self.num_examples} examples, {len(self.accuracy)} corruptions",
            f"clean accuracy     {self.clean_accuracy:.4f}",
            f"mean accuracy      {self.mean_accuracy:.4f} "
            f"[{low:.4f}, {high:.4f}]",
            "",
            f"{'severity':<20}{'1':>8}{'2':>8}{'3':>8}{'4':>8}{'5':>8}    mean",
        ]
        rows = [
            *(
                (name, accuracies, self.by_corruption[name])
                for name, accuracies in self.accuracy.items()
            ),
            ("mean", self.by_severity, self.mean_accuracy),
        ]
        for name, accuracies, mean in rows:
            numbers = "".join(f"{value:8.4f}" for value in accuracies)
            lines.append(f"{name:<20}{numbers}{mean:8.4f}")
        return "\n".join(lines)


def evaluate(
    model,
    dataset,
    *,
    names=None,
    max_examples: int | None = 500,
    batch_size: int = 64,
    seed: int = 0,
) -> Robustness:
    """Accuracy under common corruptions at five severities.

    Each image is corrupted as the model would get it: decoded and resized.
    The noise of an example depends on the seed and on its position in the
    dataset alone.

    Args:
        model: A `keras.Model`, as `tl_keras.evaluation.predict_probabilities`
            takes it.
        dataset: A finite, batched `tf.data.Dataset` of `(images, labels)` in a
            fixed order, such as `data.test`; images 0..255.
        names: Some of `tl_keras.evaluation.corruptions.NAMES`. None: all.
        max_examples: How many images to take, at random; None for all. Each
            is predicted five times for each corruption.
        batch_size: How many are predicted at a time.
        seed: Of the choice and of the noise.

    Returns:
        A `Robustness`.

    Raises:
        TypeError, ValueError: As `predict_probabilities`, and if a name is
            unknown or the dataset holds no images.

    Example:
        >>> import tl_keras
        >>> data = tl_keras.data.load("digits", image_size=16)
        >>> encoder = tl_keras.encoders.load("tiny", 16)
        >>> head = tl_keras.heads.Classifier(num_classes=10)
        >>> model = tl_keras.build(encoder, head)
        >>> found = evaluate(
        ...     model, data.test, names=["contrast"], max_examples=20)
        >>> len(found.accuracy["contrast"])
        5
    """
    names = corruptions.NAMES if names is None else tuple(names)
    for name in names:
        checks.one_of(name, corruptions.NAMES, name="corruption")
    images, labels, indices = _chosen(dataset, max_examples, seed)
    # One dataset of everything: for each of its own the model would be traced.
    kinds = [(None, 0)]
    kinds += [(name, s) for name in names for s in corruptions.SEVERITIES]
    batches = _batches(images, labels, indices, kinds, batch_size, seed)
    found, expected = predictions.predict_probabilities(model, batches)
    right = (found.argmax(axis=1) == expected).reshape(len(kinds), -1)
    by_name = right[1:].reshape(len(names), len(corruptions.SEVERITIES), -1)
    return _summary(names, right[0], by_name, seed)


def _chosen(dataset, max_examples, seed):
    """Images, labels and positions of some examples, in order."""
    if max_examples is not None:
        checks.integer(max_examples, name="max_examples", low=1)
    spec = dataset.element_spec[0]
    if len(spec.shape) != 4:
        raise ValueError(
            "Corruptions are of images. Got a dataset of inputs of shape "
            f"{tuple(spec.shape)}. Expected [batch, height, width, channels]."
        )
    count = sum(len(labels) for _, labels in dataset)
    chosen = np.arange(count)
    if max_examples is not None and max_examples < count:
        order = np.random.default_rng(seed).permutation(count)
        chosen = np.sort(order[:max_examples])
    images, labels, done = [], [], 0
    for batch, some_labels in dataset:
        mine = chosen[(chosen >= done) & (chosen < done + len(batch))] - done
        images.append(batch.numpy()[mine])
        labels.append(some_labels.numpy()[mine])
        done += len(batch)
    return np.concatenate(images), np.concatenate(labels), chosen


def _batches(images, labels, indices, kinds, batch_size, seed):
    """All images in the first kind, then in the second, and so on.

    They are corrupted while the model is at work.
    """

    def corrupted(number):
        name, severity = kinds[number // len(images)]
        position = number % len(images)
        image = images[position]
        if name is not None:
            image = corruptions.corrupt(
                image, name, severity, seed=seed, index=int(indices[position])
            )
        return image.astype(np.float32), labels[position]

    def read(number):
        image, label = tf.numpy_function(
            corrupted, [number], (tf.float32, labels.dtype), stateful=False
        )
        return (
            tf.ensure_shape(image, images.shape[1:]),
            tf.ensure_shape(label, labels.shape[1:]),
        )

    batches = (
        tf.data.Dataset.range(len(kinds) * len(images))
        .map(read, num_parallel_calls=2, deterministic=True)
        .batch(batch_size)
    )
    return prefetching.prefetched(batches)


def _summary(names, clean, right, seed) -> Robustness:
    """From what was right, `[corruptions, severities, examples]`."""
    accuracy = right.mean(axis=2)
    # The corruptions of one image are no independent trials: images are.
    per_image = right.mean(axis=(0, 1))
    mean, count = float(per_image.mean()), len(per_image)
    reach = _NORMAL_95 * float(per_image.std(ddof=min(1, count - 1)))
    reach /= count**0.5
    clean_accuracy = float(clean.mean())
    return Robustness(
        num_examples=count,
        seed=seed,
        clean_accuracy=clean_accuracy,
        mean_accuracy=mean,
        mean_accuracy_interval=(max(0.0, mean - reach), min(1.0, mean + reach)),
        relative_accuracy=mean / clean_accuracy if clean_accuracy else None,
        by_severity=accuracy.mean(axis=0).tolist(),
        by_corruption=dict(
            zip(names, accuracy.mean(axis=1).tolist(), strict=True)
        ),
        accuracy=dict(zip(names, accuracy.tolist(), strict=True)),
    )
