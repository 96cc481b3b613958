"""ROC and precision-recall curves of each class against the rest."""

import numpy as np
import sklearn
from sklearn import metrics as sklearn_metrics

from tl_keras.evaluation import thinning

MOST_CLASSES = 20
# All classes together are one curve, of a point for each of their scores.
MICRO = "micro"
_MOST_MICRO_SCORES = 2**22
_DIGITS = 6


def areas(probabilities, labels) -> tuple[np.ndarray, np.ndarray]:
    """Areas under the curves of each class, by scikit-learn.

    Args:
        probabilities: Float array `[examples, num_classes]`.
        labels: Integer array `[examples]`.

    Returns:
        Area under the ROC curve and average precision, `[num_classes]`; NaN
        for a class that no example or every example has.

    Example:
        >>> roc, precision = areas([[0.9, 0.1], [0.4, 0.6]], [0, 1])
        >>> roc.tolist(), precision.tolist()
        ([1.0, 1.0], [1.0, 1.0])
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    num_classes = probabilities.shape[1]
    found = np.full((2, num_classes), np.nan)
    # Of a thousand classes scikit-learn's checks would take most of the time.
    with sklearn.config_context(
        assume_finite=True, skip_parameter_validation=True
    ):
        for index in range(num_classes):
            positive = labels == index
            if 0 < positive.sum() < len(labels):
                scores = probabilities[:, index]
                found[:, index] = (
                    sklearn_metrics.roc_auc_score(positive, scores),
                    sklearn_metrics.average_precision_score(positive, scores),
                )
    return found[0], found[1]


def curves(probabilities, labels, class_names, average_precision) -> dict:
    """The curves of the classes, thinned, ready for JSON.

    Args:
        probabilities: Float array `[examples, num_classes]`.
        labels: Integer array `[examples]`.
        class_names: Names by label.
        average_precision: From `areas`. Of more than 20 classes, those with
            the lowest have their curves.

    Returns:
        `{"roc": {name: {"false_positive_rate", "true_positive_rate",
        "thresholds"}}, "precision_recall": {name: {"recall", "precision",
        "thresholds"}}}` with lists of at most 200 numbers. The name "micro"
        (if no class has it) is that of all classes together, where there are
        at most four million scores. A threshold is None where nothing is
        above it.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    defined = np.flatnonzero(np.isfinite(average_precision))
    worst = defined[np.argsort(average_precision[defined], kind="stable")]
    binary = {
        class_names[index]: (labels == index, probabilities[:, index])
        for index in sorted(worst[:MOST_CLASSES])
    }
    if probabilities.size <= _MOST_MICRO_SCORES and MICRO not in class_names:
        one_hot = labels[:, None] == np.arange(probabilities.shape[1])
        binary[MICRO] = (one_hot.ravel(), probabilities.ravel())
    found = {"roc": {}, "precision_recall": {}}
    for name, (positive, scores) in binary.items():
        found["roc"][name] = _roc(positive, scores)
        found["precision_recall"][name] = _precision_recall(positive, scores)
    return found


def _roc(positive, scores) -> dict:
    false_rate, true_rate, thresholds = sklearn_metrics.roc_curve(
        positive, scores
    )
    kept = thinning.indices(false_rate, true_rate)
    return {
        "false_positive_rate": _rounded(false_rate[kept]),
        "true_positive_rate": _rounded(true_rate[kept]),
        "thresholds": _rounded(thresholds[kept]),
    }


def _precision_recall(positive, scores) -> dict:
    precision, recall, thresholds = precision_recall(positive, scores)
    kept = thinning.indices(recall, precision)
    return {
        "recall": _rounded(recall[kept]),
        "precision": _rounded(precision[kept]),
        "thresholds": _rounded(thresholds[kept]),
    }


def precision_recall(positive, scores):
    """Precision, recall and threshold of each point, recall falling.

    Args:
        positive: Boolean array `[examples]`, with at least one True.
        scores: Float array `[examples]`.

    Returns:
        Three float arrays `[points]`. What has at least the threshold counts
        as found. Without scikit-learn's last point, at which nothing is.
    """
    precision, recall, thresholds = sklearn_metrics.precision_recall_curve(
        positive, scores
    )
    return precision[:-1], recall[:-1], thresholds


def _rounded(values) -> list:
    return [
        round(float(value), _DIGITS) if np.isfinite(value) else None
        for value in values
    ]
