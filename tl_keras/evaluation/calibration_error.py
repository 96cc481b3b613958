"""How far a classifier's confidence is from its accuracy."""

import math

import numpy as np
from scipy import special

NUM_BINS = 15


def bin_of(confidence) -> np.ndarray:
    """The bin of each confidence: of `NUM_BINS` of equal width over [0, 1].

    Example:
        >>> bin_of([0.0, 0.5, 1.0]).tolist()
        [0, 7, 14]
    """
    bins = (np.asarray(confidence) * NUM_BINS).astype(np.int64)
    return np.clip(bins, 0, NUM_BINS - 1)


def reliability(confidence, correct) -> list[dict]:
    """The bins of a reliability diagram.

    Args:
        confidence: Float array `[examples]`: the probability of the predicted
            class.
        correct: Boolean array `[examples]`: whether it was the label.

    Returns:
        A dict for each bin: `low`, `high`, `num_examples`, and the means
        `confidence` and `accuracy`, which are None in an empty bin.

    Example:
        >>> reliability([0.9, 0.9], [True, False])[13]["accuracy"]
        0.5
    """
    bins = bin_of(confidence)
    counts = np.bincount(bins, minlength=NUM_BINS)
    sums = [
        np.bincount(bins, np.asarray(values, np.float64), NUM_BINS)
        for values in (confidence, correct)
    ]
    return [
        {
            "low": index / NUM_BINS,
            "high": (index + 1) / NUM_BINS,
            "num_examples": int(count),
            "confidence": float(sums[0][index] / count) if count else None,
            "accuracy": float(sums[1][index] / count) if count else None,
        }
        for index, count in enumerate(counts)
    ]


def gap_sums(confidence, correct) -> np.ndarray:
    """What `errors` needs of each example, to be summed with weights.

    Args:
        confidence, correct: As in `reliability`.

    Returns:
        float32 `[examples, 3 * NUM_BINS]`: for the bin of the example 1, its
        gap (confidence - correct), and the gap's square; 0 for other bins.
    """
    gaps = np.asarray(confidence, np.float32) - np.asarray(correct, np.float32)
    in_bin = bin_of(confidence)[:, None] == np.arange(NUM_BINS)
    columns = (np.ones_like(gaps), gaps, gaps**2)
    return np.concatenate([in_bin * c[:, None] for c in columns], axis=1)


def errors(sums) -> tuple[np.ndarray, np.ndarray]:
    """The expected calibration error, and a debiased estimate of it.

    The error is the mean over the examples of |mean confidence - accuracy| of
    their bin. Taken from few examples it is too large, since noise in a bin
    counts whatever its sign: a perfectly calibrated model has 0.03 with 1,000
    examples. The debiased estimate takes off the excess that the noise of the
    bins, as a normal distribution, would add to the gaps that were found.
    It still is somewhat too large near 0.

    Args:
        sums: Float array `[..., 3 * NUM_BINS]`: weighted sums of what
            `gap_sums` gives.

    Returns:
        Two arrays `[...]`. The second is at least 0.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
        https://arxiv.org/abs/1706.04599; Kumar, Liang and Ma, "Verified
        Uncertainty Calibration", NeurIPS 2019,
        https://arxiv.org/abs/1909.10155

    Example:
        >>> sums = gap_sums([0.75] * 4, [True, True, True, False]).sum(0)
        >>> [float(error) for error in errors(sums)]
        [0.0, 0.0]
    """
    counts, gaps, squares = np.split(np.asarray(sums, np.float64), 3, axis=-1)
    total = counts.sum(-1)
    plain = np.abs(gaps).sum(-1) / total
    # n times the variance of one, from which the bin's gap was summed.
    several = counts > 1
    safe = np.where(several, counts, 2.0)
    variance = (squares - gaps**2 / safe) * safe / (safe - 1)
    noise = np.sqrt(np.where(several, np.maximum(variance, 0.0), 0.0))
    excess = _mean_size(np.abs(gaps), noise) - np.abs(gaps)
    debiased = (np.abs(gaps) - excess).sum(-1) / total
    return plain, np.maximum(debiased, 0.0)


def _mean_size(mean, deviation):
    """The mean of |x| for a normal x (the folded normal distribution)."""
    ratio = np.divide(
        mean, deviation, out=np.full_like(mean, 40.0), where=deviation > 0
    )
    spread = math.sqrt(2 / math.pi) * np.exp(
        -(np.minimum(ratio, 40.0) ** 2) / 2
    )
    return deviation * spread + mean * special.erf(ratio / math.sqrt(2))
