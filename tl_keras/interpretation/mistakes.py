"""Where a classifier errs most: the highest losses, the most confused pairs."""

import dataclasses

import numpy as np

from tl_keras import checks

# Where the log loss of float32 probabilities clips them.
_SMALLEST = float(np.finfo(np.float32).eps)


@dataclasses.dataclass(frozen=True)
class TopLoss:
    """An example that a model gets badly wrong.

    Attributes:
        index: Its position.
        label: Index of its class.
        predicted: Index of the class that the model gives it.
        probability: What the model gives its label, in [0, 1].
        loss: Negative natural logarithm of that, as in `losses`.
    """

    index: int
    label: int
    predicted: int
    probability: float
    loss: float


@dataclasses.dataclass(frozen=True)
class ConfusedPair:
    """A class that is taken for another.

    Attributes:
        label: The class's name.
        predicted: What it is taken for.
        count: How often.
        share: How often, as a share of the label's examples.
        examples: Positions of these, the surest error first.
    """

    label: str
    predicted: str
    count: int
    share: float
    examples: tuple[int, ...]


def losses(probabilities, labels) -> np.ndarray:
    """The cross-entropy of each example, float64 `[examples]`.

    Args:
        probabilities: Float `[examples, num_classes]`, of which what is less
            than 1.2e-7 (float32) is taken for that, as in the log loss.
        labels: Class indices `[examples]`.

    Example:
        >>> losses(np.array([[0.5, 0.5]]), np.array([0])).round(3).tolist()
        [0.693]
    """
    of_label = np.take_along_axis(
        np.asarray(probabilities, np.float64), labels[:, None], axis=1
    )[:, 0]
    return -np.log(np.maximum(of_label, _SMALLEST))


def top_losses(probabilities, labels, *, count: int = 16) -> list[TopLoss]:
    """The examples that cost most: wrong labels, or what is hard to see.

    Args:
        probabilities: `[examples, num_classes]`, as `tl_keras.evaluation.
            predict_probabilities` gives them.
        labels: Class indices `[examples]`.
        count: How many at most.

    Returns:
        The highest losses first; of equal ones the earlier example.

    Raises:
        ValueError: If the two do not fit.

    Example:
        >>> top_losses([[0.9, 0.1], [0.5, 0.5]], [1, 1], count=1)[0].index
        0
    """
    probabilities, labels = _checked(probabilities, labels)
    checks.integer(count, name="count", low=1)
    found = losses(probabilities, labels)
    predicted = probabilities.argmax(axis=1)
    return [
        TopLoss(
            index=int(index),
            label=int(labels[index]),
            predicted=int(predicted[index]),
            probability=float(probabilities[index, labels[index]]),
            loss=float(found[index]),
        )
        for index in np.argsort(-found, kind="stable")[:count]
    ]


def confused_pairs(
    probabilities, labels, class_names=None, *, count: int = 10
) -> list[ConfusedPair]:
    """The pairs of classes that a model confuses most often.

    Args:
        probabilities: `[examples, num_classes]`.
        labels: Class indices `[examples]`.
        class_names: A name for each class. None: "0", "1", ...
        count: How many pairs at most.

    Returns:
        Pairs with an error at least, the most frequent first; of equally
        frequent ones that of the larger share.

    Raises:
        ValueError: If the arguments do not fit.

    Example:
        >>> [pair] = confused_pairs(
        ...     [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [1, 1, 1], ["cat", "dog"])
        >>> pair.label, pair.predicted, pair.count, pair.examples
        ('dog', 'cat', 2, (0, 2))
    """
    probabilities, labels = _checked(probabilities, labels)
    checks.integer(count, name="count", low=1)
    num_classes = probabilities.shape[1]
    names = [str(n) for n in (class_names or range(num_classes))]
    if len(names) != num_classes:
        raise ValueError(
            f"`class_names` does not fit. Got: {len(names)} names. Expected "
            f"{num_classes}, one for each column of `probabilities`."
        )
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    pairs = []
    for label, other in {(labels[i], predicted[i]) for i in wrong}:
        of_pair = wrong[(labels[wrong] == label) & (predicted[wrong] == other)]
        surest = np.argsort(-probabilities[of_pair, other], kind="stable")
        pairs.append(
            ConfusedPair(
                label=names[label],
                predicted=names[other],
                count=len(of_pair),
                share=len(of_pair) / int(np.sum(labels == label)),
                examples=tuple(of_pair[surest].tolist()),
            )
        )
    pairs.sort(key=lambda p: (-p.count, -p.share, p.label, p.predicted))
    return pairs[:count]


def _checked(probabilities, labels):
    probabilities = np.asarray(probabilities, np.float64)
    labels = np.asarray(labels)
    fits = (
        probabilities.ndim == 2
        and labels.shape == probabilities.shape[:1]
        and labels.dtype.kind in "iu"
        and len(labels)
        and labels.min() >= 0
        and labels.max() < probabilities.shape[1]
    )
    if not fits:
        raise ValueError(
            "`probabilities` and `labels` do not fit. Got shapes: "
            f"{probabilities.shape} and {labels.shape}, {labels.dtype}. "
            "Expected `[examples, num_classes]` and class indices "
            "`[examples]`."
        )
    return probabilities, labels.astype(np.int64)
