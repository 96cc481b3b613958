"""How accurate a classifier is where it is sure."""

import numpy as np

from tl_keras.evaluation import thinning


def coverage_curve(confidence, correct) -> dict:
    """Accuracy of the share of examples of which a model is surest.

    It says what is gained by leaving the doubtful ones to a person. Examples
    of equal confidence are taken or left together.

    Args:
        confidence: Float array `[examples]`: the probability of the predicted
            class.
        correct: Boolean array `[examples]`: whether it was the label.

    Returns:
        `coverage` (rising shares of the examples), `accuracy` of these, and
        `confidence`, the least of them: lists of at most 200 numbers; and
        `mean_accuracy`, the mean over all coverages (one less the area under
        the risk-coverage curve).

    Reference:
        Geifman and El-Yaniv, "Selective Classification for Deep Neural
        Networks", NeurIPS 2017, https://arxiv.org/abs/1705.08500

    Example:
        >>> curve = coverage_curve([0.9, 0.6, 0.8], [True, False, True])
        >>> curve["accuracy"][1], round(curve["coverage"][1], 2)
        (1.0, 0.67)
    """
    confidence = np.asarray(confidence, np.float64)
    order = np.argsort(-confidence, kind="stable")
    confidence = confidence[order]
    hits = np.cumsum(np.asarray(correct)[order])
    taken = np.arange(1, len(hits) + 1)
    last = np.append(confidence[1:] < confidence[:-1], True)
    hits, taken, confidence = hits[last], taken[last], confidence[last]
    accuracy, coverage = hits / taken, taken / taken[-1]
    shares = np.diff(coverage, prepend=0.0)
    kept = thinning.indices(coverage, accuracy)
    return {
        "coverage": coverage[kept].tolist(),
        "accuracy": accuracy[kept].tolist(),
        "confidence": confidence[kept].tolist(),
        "mean_accuracy": float((accuracy * shares).sum()),
    }
