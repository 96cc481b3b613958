"""How good a classifier is on parts of the data, by a column of metadata."""

import itertools

import numpy as np

from tl_keras.evaluation import intervals as intervals_

# A column with more values is sliced by ranges of its numbers, or not at all
# unless it is asked for.
MOST_VALUES = 20
_NUM_RANGES = 4
METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "log_loss",
    "expected_calibration_error",
    "debiased_calibration_error",
)


def by_columns(sample, columns, resamples) -> dict:
    """Metrics of each part, by column and value, ready for JSON.

    Args:
        sample: A `Sample`.
        columns: Column name to an array `[examples]` of texts or numbers.
        resamples: A `Resamples`.

    Returns:
        `{column: {value: {"num_examples", metric ..., "intervals"}}}`.

    Raises:
        ValueError: If a column has another length than the sample.
    """
    return {
        name: {
            value: _scores(sample.take(indices), resamples)
            for value, indices in parts(values, len(sample), name).items()
        }
        for name, values in columns.items()
    }


def parts(values, num_examples: int, name: str) -> dict[str, np.ndarray]:
    """The examples of each value of a column, or of ranges of its numbers.

    Args:
        values: Array-like `[examples]` of texts or numbers. Of more than 20
            different numbers (texts that are numbers, too) four ranges are
            made that hold about as many examples.
        num_examples: Number of examples.
        name: The column's name, for errors.

    Returns:
        Value, as text, to the indices of its examples; sorted.

    Raises:
        ValueError: If there are not as many values as examples.

    Example:
        >>> found = parts(["wet", "dry", "wet"], 3, "weather")
        >>> {value: indices.tolist() for value, indices in found.items()}
        {'dry': [1], 'wet': [0, 2]}
    """
    values = np.asarray(values)
    if values.shape != (num_examples,):
        raise ValueError(
            f"Column {name!r} does not go with the examples. Got: an array of "
            f"shape {values.shape}. Expected ({num_examples},): a value for "
            "each example, in the order of the dataset."
        )
    numbers = _numbers(values)
    if numbers is None:
        texts = values.astype(str)
        return {
            str(value): np.flatnonzero(texts == value)
            for value in np.unique(texts)
        }
    different = np.unique(numbers)
    if len(different) > MOST_VALUES:
        return _ranges(numbers)
    return {
        f"{number:g}": np.flatnonzero(numbers == number) for number in different
    }


def worth_slicing(columns) -> dict:
    """The columns of which every value is a part of its own, and several are.

    Args:
        columns: Column name to an array `[examples]`.

    Returns:
        Those with 2 to 20 different values, or with more different numbers.
    """
    chosen = {}
    for name, values in columns.items():
        number = len(np.unique(np.asarray(values).astype(str)))
        if number < 2:
            continue
        if number <= MOST_VALUES or _numbers(np.asarray(values)) is not None:
            chosen[name] = values
    return chosen


def _scores(sample, resamples) -> dict:
    once = sample.metrics()
    found = {"num_examples": len(sample)}
    found |= {name: float(once[name][0]) for name in METRICS}
    found["intervals"] = {}
    if resamples.count:
        known, _ = intervals_.of(sample, resamples, areas=False)
        found["intervals"] = {n: known[n] for n in METRICS if n in known}
    return found


def _numbers(values) -> np.ndarray | None:
    """Values as numbers, if all are; None otherwise."""
    try:
        numbers = values.astype(float)
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _ranges(numbers) -> dict[str, np.ndarray]:
    """The examples in each of a few ranges, in order."""
    inner = np.quantile(numbers, np.linspace(0, 1, _NUM_RANGES + 1)[1:-1])
    inner = np.unique(inner)
    bounds = [numbers.min(), *inner, numbers.max()]
    range_of = np.searchsorted(inner, numbers, side="left")
    found = {}
    for index, (low, high) in enumerate(itertools.pairwise(bounds)):
        begins = "" if index == 0 else "above "
        found[f"{begins}{low:g} to {high:g}"] = np.flatnonzero(
            range_of == index
        )
    return {text: indices for text, indices in found.items() if len(indices)}
