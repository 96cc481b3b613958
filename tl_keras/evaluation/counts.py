"""Scores of classifiers from counts of hits, labels and predictions."""

import numpy as np


def scores(hits, labelled, predicted) -> dict[str, np.ndarray]:
    """What the counts of each class say, for many tests at a time.

    Precision, recall and F1 are 0 where they would divide by zero. Macro
    averages are taken over the classes that occur in the labels or among the
    predictions, balanced accuracy over those that occur in the labels; both
    as scikit-learn does. Matthews' correlation and Cohen's kappa are 0 where
    all labels or all predictions are of one class.

    Args:
        hits: Float array `[..., num_classes]`: how many examples of a class
            were predicted as it.
        labelled: Likewise: how many have it as their label.
        predicted: Likewise: for how many it was predicted.

    Returns:
        Arrays by name: `precision`, `recall` and `f1` of each class, `[...,
        num_classes]`; all others `[...]`.

    Example:
        >>> found = scores([1.0, 2.0], [2.0, 2.0], [1.0, 3.0])
        >>> float(found["accuracy"]), found["recall"].tolist()
        (0.75, [0.5, 1.0])
    """
    hits, labelled, predicted = (
        np.asarray(counts, np.float64) for counts in (hits, labelled, predicted)
    )
    total = labelled.sum(-1)
    precision = _ratio(hits, predicted)
    recall = _ratio(hits, labelled)
    f1 = _ratio(2 * hits, labelled + predicted)
    occurs = labelled + predicted > 0
    shares = labelled / total[..., None]
    accuracy = hits.sum(-1) / total
    found = {
        "accuracy": accuracy,
        "balanced_accuracy": _mean_where(recall, labelled > 0),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }
    for name, values in (
        ("precision", precision),
        ("recall", recall),
        ("f1", f1),
    ):
        found[f"macro_{name}"] = _mean_where(values, occurs)
        # Each mistake is one for the label and one for the prediction.
        found[f"micro_{name}"] = accuracy
        found[f"weighted_{name}"] = (values * shares).sum(-1)
    return found | _correlations(hits.sum(-1), labelled, predicted, total)


def _correlations(hits, labelled, predicted, total):
    """Matthews' correlation and Cohen's kappa.

    Gorodkin, "Comparing two K-category assignments by a K-category
    correlation coefficient", 2004; Cohen, "A coefficient of agreement for
    nominal scales", 1960.
    """
    by_chance = (labelled * predicted).sum(-1)
    covariance = hits * total - by_chance
    spread = (total**2 - (labelled**2).sum(-1)) * (
        total**2 - (predicted**2).sum(-1)
    )
    return {
        "matthews_correlation": _ratio(covariance, np.sqrt(spread)),
        "cohen_kappa": _ratio(covariance, total**2 - by_chance),
    }


def _ratio(numerator, denominator):
    return np.divide(
        numerator,
        denominator,
        out=np.zeros(np.shape(numerator)),
        where=denominator > 0,
    )


def _mean_where(values, mask):
    return _ratio((values * mask).sum(-1), mask.sum(-1))
