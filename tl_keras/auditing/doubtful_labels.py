"""Examples whose label is likely to be wrong."""

import dataclasses

import numpy as np

_FOLDS = 5
# Inverse strength of the penalty, for features whose first direction has a
# spread of 1: strong, since what is looked for are exceptions.
_INVERSE_PENALTY = 0.05
# So that one neighbour more or less of none does not decide alone.
_LEAST_SHARE = 0.02
# Of what confident learning takes for errors in CIFAR-10 with 5% of the labels
# flipped, 3 in 10 were; of those that fit less than a fifth as well as another
# label, by the neighbours too, 5 in 10, and nearly as many in all.
_CLEARLY_WORSE = 0.2


@dataclasses.dataclass(frozen=True)
class DoubtfulLabel:
    """An example whose label others of its kind speak against.

    Attributes:
        index: Which example.
        quality: How well its label fits, in [0, 1]: the geometric mean of
            `probability` and `agreement`.
        probability: Of its label, by a classifier that has not seen it.
        agreement: Share of its neighbours that have its label.
        suggestion: The label that fits best.
        likely_error: Whether it is likely to be wrong, see `find`.
    """

    index: int
    quality: float
    probability: float
    agreement: float
    suggestion: int
    likely_error: bool


def find(vectors, labels, neighbours, num_classes: int, *, seed: int):
    """All examples, the most doubtful label first.

    Two witnesses that have not seen an example's own label are asked: a
    logistic regression on the features of the other folds (5, stratified),
    and the nearest neighbours. A label is a likely error if confident learning
    takes it for one on the regression's probabilities (by the package
    `cleanlab` where it is installed, else by its rule that an error is at
    least as probable under another class as the examples of that class are
    on average), and if it fits less than a fifth as well as another one.

    Args:
        vectors: float array `[examples, width]`, see `features.of`.
        labels: int64 array `[examples]`.
        neighbours: int64 array `[examples, count]`: nearest neighbours,
            copies of the example left out; -1 stands for none.
        num_classes: Number of classes.
        seed: Of the folds.

    Returns:
        A list of `DoubtfulLabel`, one for each example of the classes that
        have an example for each fold; others cannot be judged.

    Raises:
        ValueError: If fewer than two classes have enough examples.

    Reference:
        Northcutt, Jiang and Chuang, "Confident Learning: Estimating
        Uncertainty in Dataset Labels", JAIR 2021,
        https://arxiv.org/abs/1911.00068
    """
    judged = _judged(labels, num_classes)
    own = labels[judged]
    probabilities = _unseen_probabilities(
        vectors[judged], own, num_classes, seed
    )
    shares = _shares(neighbours[judged], labels, num_classes)
    rows = np.arange(len(judged))
    both = np.sqrt(probabilities * (shares + _LEAST_SHARE) / (1 + _LEAST_SHARE))
    quality = both[rows, own]
    both[rows, own] = -1
    errors = by_confident_learning(own, probabilities)
    errors &= quality < _CLEARLY_WORSE * both.max(axis=1)
    return [
        DoubtfulLabel(
            index=int(judged[row]),
            quality=round(float(quality[row]), 6),
            probability=round(float(probabilities[row, own[row]]), 6),
            agreement=round(float(shares[row, own[row]]), 4),
            suggestion=int(both[row].argmax()),
            likely_error=bool(errors[row]),
        )
        for row in np.argsort(quality, kind="stable")
    ]


def by_confident_learning(labels, probabilities) -> np.ndarray:
    """Which labels confident learning takes for errors.

    Args:
        labels: int64 array `[examples]`.
        probabilities: float array `[examples, classes]`, of a classifier that
            has not seen the example.

    Returns:
        bool array `[examples]`.

    Example:
        >>> import numpy as np
        >>> from tl_keras.auditing import doubtful_labels
        >>> sure = np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]] * 10)
        >>> labels = np.array([0] * 9 + [1] * 9 + [0])
        >>> doubtful_labels.by_confident_learning(
        ...     labels, sure
        ... ).nonzero()[0].tolist()
        [18]
    """
    try:
        from cleanlab import filter as cleanlab_filter
    except ImportError:
        return by_own_rule(labels, probabilities)
    present = np.unique(labels)
    return cleanlab_filter.find_label_issues(
        np.searchsorted(present, labels),
        _normalised(probabilities[:, present]),
        filter_by="confident_learning",
        n_jobs=1,
    )


def by_own_rule(labels, probabilities) -> np.ndarray:
    """`by_confident_learning` without the package `cleanlab`."""
    rows = np.arange(len(labels))
    thresholds = np.ones(probabilities.shape[1])
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    confident = np.where(probabilities >= thresholds, probabilities, 0)
    best = confident.argmax(axis=1)
    return (confident[rows, best] > 0) & (best != labels)


def _judged(labels, num_classes):
    counts = np.bincount(labels, minlength=num_classes)
    enough = counts >= _FOLDS
    if enough.sum() < 2:
        raise ValueError(
            "Labels cannot be judged. Got classes with "
            f"{sorted(counts.tolist(), reverse=True)[:5]} examples. Expected "
            f"at least two classes with at least {_FOLDS} examples each."
        )
    return np.flatnonzero(enough[labels])


def _unseen_probabilities(vectors, labels, num_classes, seed):
    from sklearn import linear_model
    from sklearn import model_selection

    spread = vectors.std(axis=0).max()
    given = model_selection.cross_val_predict(
        linear_model.LogisticRegression(C=_INVERSE_PENALTY, max_iter=200),
        vectors / (spread if spread > 0 else 1),
        labels,
        cv=model_selection.StratifiedKFold(
            _FOLDS, shuffle=True, random_state=seed
        ),
        method="predict_proba",
    )
    probabilities = np.zeros((len(labels), num_classes))
    probabilities[:, np.unique(labels)] = given
    return probabilities


def _shares(neighbours, labels, num_classes):
    """Share of each class among the neighbours of each example."""
    counts = np.zeros((len(neighbours), num_classes))
    there = neighbours >= 0
    rows, _ = np.nonzero(there)
    np.add.at(counts, (rows, labels[neighbours[there]]), 1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _normalised(rows):
    return rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-12)
