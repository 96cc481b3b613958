"""From which probability on a class is to be believed."""

import numpy as np
import sklearn

from tl_keras import checks
from tl_keras.evaluation import curves

WANTED = 0.9


def for_precision(positive, scores, wanted: float) -> dict | None:
    """The threshold that finds most at a wanted precision.

    Args:
        positive: Boolean array `[examples]`: which are of the class.
        scores: Float array `[examples]`: the probability of the class.
        wanted: Least precision, in [0, 1].

    Returns:
        `{"threshold", "precision", "recall"}`: what has at least the
        threshold counts as found. None if no threshold has the precision, or
        no example is of the class.

    Raises:
        ValueError: If `wanted` is out of range.

    Example:
        >>> positive, scores = [False, True, False, True], [0.1, 0.4, 0.5, 0.8]
        >>> for_precision(positive, scores, 0.9)
        {'threshold': 0.8, 'precision': 1.0, 'recall': 0.5}
    """
    points = _points(positive, scores)
    return points and _best(points, "precision", wanted)


def for_recall(positive, scores, wanted: float) -> dict | None:
    """The threshold that is most precise at a wanted recall.

    Args:
        positive, scores: As in `for_precision`.
        wanted: Least recall, in [0, 1].

    Returns:
        As `for_precision`; None only if no example is of the class.

    Raises:
        ValueError: If `wanted` is out of range.

    Example:
        >>> positive, scores = [False, True, False, True], [0.1, 0.4, 0.5, 0.8]
        >>> for_recall(positive, scores, 0.9)["threshold"]
        0.4
    """
    points = _points(positive, scores)
    return points and _best(points, "recall", wanted)


def by_class(
    probabilities,
    labels,
    class_names,
    *,
    precision: float = WANTED,
    recall: float = WANTED,
) -> dict:
    """Thresholds of all classes, ready for JSON.

    Args:
        probabilities: Float array `[examples, num_classes]`.
        labels: Integer array `[examples]`.
        class_names: Names by label.
        precision: Wanted precision, in [0, 1].
        recall: Wanted recall, in [0, 1].

    Returns:
        `{"precision": {"0.9": {name: threshold}}, "recall": {...}}` with what
        `for_precision` and `for_recall` give.
    """
    wanted = {"precision": precision, "recall": recall}
    found = {kind: {} for kind in wanted}
    with sklearn.config_context(
        assume_finite=True, skip_parameter_validation=True
    ):
        for index, name in enumerate(class_names):
            points = _points(labels == index, probabilities[:, index])
            for kind, least in wanted.items():
                found[kind][name] = points and _best(points, kind, least)
    return {kind: {f"{wanted[kind]:g}": found[kind]} for kind in wanted}


def _points(positive, scores):
    """Arrays by name, a place for each threshold; None without positives."""
    positive = np.asarray(positive, bool)
    if not positive.any():
        return None
    precision, recall, thresholds = curves.precision_recall(positive, scores)
    return {"precision": precision, "recall": recall, "threshold": thresholds}


def _best(points, kind: str, wanted: float) -> dict | None:
    """The point with most of one of the two, given enough of the other."""
    checks.in_range(wanted, name=kind, low=0.0, high=1.0)
    given = points[kind]
    sought = points["recall" if kind == "precision" else "precision"]
    # Rounding must not lose a point that has what is wanted exactly.
    enough = (given >= wanted - 1e-12) & (points["recall"] > 0)
    if not enough.any():
        return None
    # Of equally good ones, that with more of what was wanted.
    best = np.lexsort((given, np.where(enough, sought, -1.0)))[-1]
    return {
        name: float(points[name][best])
        for name in ("threshold", "precision", "recall")
    }
