"""What a model is to learn from labels: integers or rows, with weights."""

import dataclasses

import numpy as np
import tensorflow as tf

from tl_keras import checks


@dataclasses.dataclass(frozen=True, eq=False)
class Targets:
    """How labels are handed to the model.

    Attributes:
        num_classes: Number of classes.
        as_rows: Whether labels become rows of probabilities.
        label_smoothing: Share of the probability that is spread evenly over
            all classes, in [0, 1).
        weights: float32 array `[num_classes]`, or None for no weights.
    """

    num_classes: int
    as_rows: bool
    label_smoothing: float = 0.0
    weights: np.ndarray | None = None

    def encode(self, labels):
        """Labels as int32 `[batch]`, or as one-hot float32 rows."""
        return tf.one_hot(labels, self.num_classes) if self.as_rows else labels

    def element(self, inputs, labels):
        """`(inputs, labels)` or `(inputs, labels, sample weights)`."""
        smoothed = labels
        if self.label_smoothing:
            even = self.label_smoothing / self.num_classes
            smoothed = labels * (1.0 - self.label_smoothing) + even
        if self.weights is None:
            return inputs, smoothed
        weights = tf.constant(self.weights, tf.float32)
        if self.as_rows:
            # A mixed example weighs as much as its classes do, by share.
            return inputs, smoothed, tf.linalg.matvec(labels, weights)
        return inputs, smoothed, tf.gather(weights, labels)


def class_weight_vector(class_weight, num_classes: int):
    """Weights by label as an array, from a dict as Keras takes it.

    Args:
        class_weight: Dict of label to weight, at least 0; a label that is
            missing weighs 1. Or None.
        num_classes: Number of classes.

    Returns:
        float32 array `[num_classes]`, or None.

    Raises:
        TypeError: If it is no dict, or an entry is no number.
        ValueError: If there is no such label, or a weight is negative.

    Example:
        >>> from tl_keras.data import targets
        >>> targets.class_weight_vector({1: 2.0}, 3).tolist()
        [1.0, 2.0, 1.0]
    """
    if class_weight is None:
        return None
    checks.instance(class_weight, dict, name="class_weight")
    weights = np.ones(num_classes, np.float32)
    for label, weight in class_weight.items():
        checks.one_of(label, range(num_classes), name="class_weight")
        weights[label] = checks.in_range(
            weight, name=f"class_weight[{label}]", low=0.0
        )
    return weights


def balanced_weights(labels, num_classes: int) -> dict[int, float]:
    """Weights under which all classes weigh the same together.

    Label k weighs n / (num_classes * n_k), where n_k of n examples have it;
    the examples' mean weight is 1. It is what scikit-learn calls "balanced".

    Example:
        >>> from tl_keras.data import targets
        >>> targets.balanced_weights([0, 0, 0, 1], 2)[1]
        2.0
    """
    counts = np.bincount(labels, minlength=num_classes)
    weights = len(labels) / (num_classes * counts)
    return {label: float(weight) for label, weight in enumerate(weights)}
