"""How sure metrics are: confidence intervals from one test part."""

import numpy as np
from scipy import stats

from tl_keras.evaluation import calibration_error

_BY_CLASS = ("precision", "recall", "f1")
# Shares of independent examples: these have intervals of their own.
_SHARES = ("accuracy", "top_5_accuracy")
# These are the accuracy under other names.
_ACCURACIES = ("micro_precision", "micro_recall", "micro_f1", "weighted_recall")
# The second of two calibration errors shares the interval of the first.
_CALIBRATION = ("expected_calibration_error", "debiased_calibration_error")
# An error less than this many times what noise gives is not taken for known.
_WELL_ABOVE_NOISE = 1.5


def of(sample, resamples, *, areas: bool = True) -> tuple[dict, list[dict]]:
    """Intervals of the metrics of a sample.

    Accuracy, top-5 accuracy, and precision and recall of single classes are
    shares of examples, and have Wilson's interval, which knows that no
    mistakes among a hundred examples is not none at all. The calibration
    error has `of_calibration_error`. All others have the percentile interval
    of the bootstrap.

    Args:
        sample: A `Sample`.
        resamples: A `Resamples`.
        areas: Whether to find those of the areas under curves too.

    Returns:
        Metric to `[low, high]`, without a metric that has none; and a dict
        of `precision`, `recall` and `f1` for each class.
    """
    values, sums = {}, []
    for weights in resamples.weights(len(sample)):
        found = sample.metrics(weights)
        if areas:
            found |= sample.areas(weights)
        for name, chunk in found.items():
            values.setdefault(name, []).append(chunk)
        sums.append(sample.gap_sums(weights))
    values = {name: np.concatenate(chunks) for name, chunks in values.items()}
    by_class = {name: values.pop(name) for name in _BY_CLASS}
    once = sample.metrics()
    found = {
        name: resamples.interval(values[name]).tolist()
        for name in values
        if name not in _CALIBRATION and np.isfinite(values[name]).any()
    }
    shares = {name: float(once[name][0]) for name in _SHARES if name in once}
    for name, share in shares.items():
        found[name] = wilson(share, len(sample), resamples.level).tolist()
    found |= {name: found["accuracy"] for name in _ACCURACIES}
    found["expected_calibration_error"] = of_calibration_error(
        sample, np.concatenate(sums), resamples
    )
    return found, _of_classes(sample, once, by_class, resamples)


def wilson(share, count, level: float = 0.95) -> np.ndarray:
    """The score interval of a share of independent examples.

    Args:
        share: Float array `[...]`, in [0, 1].
        count: Number of examples `[...]`, at least 1.
        level: In (0, 1).

    Returns:
        Float array `[..., 2]`: low and high.

    Reference:
        Wilson, "Probable inference, the law of succession, and statistical
        inference", 1927.

    Example:
        >>> wilson(1.0, 100).round(3).tolist()
        [0.963, 1.0]
    """
    share, count = np.asarray(share, float), np.asarray(count, float)
    z = stats.norm.ppf(0.5 + level / 2)
    center = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = (z / (1 + z**2 / count)) * np.sqrt(
        share * (1 - share) / count + z**2 / (4 * count**2)
    )
    found = np.stack([center - spread, center + spread], axis=-1)
    return np.clip(found, 0.0, 1.0)


def of_calibration_error(sample, sums, resamples) -> list[float]:
    """An interval for the calibration error of the model, not of the sample.

    The plain error of a sample is too large, and that of a resample is larger
    still, so that the percentile interval of a bootstrap lies above the truth
    nearly always. This one is the debiased estimate and how that one scatters
    in the resamples. It begins at 0 where noise alone (the change of the
    bins' gaps from sample to resample) would give an error such as the one
    found, and not above what exceeds that noise unless it does so clearly.

    Args:
        sample: A `Sample`.
        sums: Float array `[resamples, ...]`: its `gap_sums` for each resample.
        resamples: The `Resamples`.

    Returns:
        `[low, high]`.
    """
    ones = np.ones((1, len(sample)))
    once = sample.gap_sums(ones)
    plain, debiased = (float(e[0]) for e in calibration_error.errors(once))
    _, scattered = calibration_error.errors(sums)
    low, high = debiased + resamples.interval(scattered) - scattered.mean()
    gaps = np.split(sums - once, 3, axis=1)[1]
    noise = np.abs(gaps).sum(axis=1) / len(sample)
    from_noise = np.quantile(noise, resamples.level)
    if plain <= np.quantile(noise, 0.5 + resamples.level / 2):
        low = 0.0
    elif plain <= _WELL_ABOVE_NOISE * from_noise:
        low = min(low, plain - from_noise)
    return [max(0.0, float(low)), min(1.0, float(high))]


def _of_classes(sample, once, by_class, resamples) -> list[dict]:
    numbers = {
        "recall": np.bincount(sample.labels, minlength=sample.num_classes),
        "precision": np.bincount(
            sample.predicted, minlength=sample.num_classes
        ),
    }
    f1 = resamples.interval(by_class["f1"])
    found = {"f1": f1}
    for name, number in numbers.items():
        found[name] = wilson(
            once[name][0], np.maximum(number, 1), resamples.level
        )
    occurs = numbers["recall"] + numbers["precision"] > 0
    known = {
        "f1": occurs,
        "recall": numbers["recall"] > 0,
        "precision": numbers["precision"] > 0,
    }
    return [
        {
            name: found[name][index].tolist()
            for name in _BY_CLASS
            if known[name][index]
        }
        for index in range(sample.num_classes)
    ]
