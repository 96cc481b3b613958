"""Which examples train, validate and test in each of several trials."""

import dataclasses
import warnings

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from sklearn import model_selection

from tl_keras import checks


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """One way to divide examples.

    Attributes:
        train: Sorted int64 indices of those that weights are fitted to.
        validation: Of those that choose the epoch and the temperature; empty
            without validation.
        test: Of those that are kept from both.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def groups_of(digests, column=None) -> np.ndarray:
    """Which examples have to stay together.

    Those of equal content always do; else a test would ask what was learned
    by heart.

    Args:
        digests: uint8 array `[examples, 16]`.
        column: Array-like `[examples]`: those of equal values stay together,
            too, such as all pictures of one patient. None for no such column.

    Returns:
        int64 array `[examples]`: the number of each example's group.

    Example:
        >>> digests = np.array([[1], [2], [1], [3]], np.uint8)
        >>> groups_of(digests, ["a", "b", "b", "c"]).tolist()
        [0, 0, 0, 1]
    """
    _, by_content = np.unique(digests, axis=0, return_inverse=True)
    by_content = by_content.reshape(-1)
    if column is None:
        return by_content
    texts = np.asarray(column).astype(str)
    _, by_column = np.unique(texts, return_inverse=True)
    offset = by_content.max() + 1
    size = offset + by_column.max() + 1
    edges = sparse.coo_array(
        (np.ones(len(by_content)), (by_content, offset + by_column)),
        (size, size),
    )
    _, component = csgraph.connected_components(edges, directed=False)
    _, numbered = np.unique(component[by_content], return_inverse=True)
    return numbered


def k_fold(labels, groups, folds: int, *, validation_fraction, seed):
    """Each example in the test part of one of `folds` trials.

    Stratified: each part has about the classes' shares. What is not tested is
    divided into training and validation likewise, where a class of very few
    examples may have none in the validation part.

    Args:
        labels: int64 array `[examples]`.
        groups: From `groups_of`.
        folds: Number of trials, at least 2.
        validation_fraction: Share of what is not tested, in [0, 1).
        seed: Of the division.

    Yields:
        `Parts`.

    Raises:
        ValueError: If a class has fewer groups than there are folds.

    Example:
        >>> labels = np.array([0, 1] * 6)
        >>> parts = list(k_fold(labels, np.arange(12), 3,
        ...                     validation_fraction=0.25, seed=0))
        >>> [len(part) for part in (parts[0].train, parts[0].test)]
        [6, 4]
    """
    checks.integer(folds, name="folds", low=2)
    _check_fewest(labels, groups, folds)
    for rest, test in _divide(labels, groups, folds, seed):
        yield _parts(labels, groups, rest, test, validation_fraction, seed)


def hold_outs(
    labels, groups, splits: int, *, test_fraction, validation_fraction, seed
):
    """Trials whose test parts are drawn anew, and may overlap.

    Args:
        labels, groups, validation_fraction: As in `k_fold`.
        splits: Number of trials, at least 2.
        test_fraction: Share of the examples that is tested, in (0, 0.5].
        seed: Of the first; the next ones count on.

    Yields:
        `Parts`.

    Raises:
        ValueError: As `k_fold`.
    """
    checks.integer(splits, name="splits", low=2)
    checks.in_range(
        test_fraction,
        name="test_fraction",
        low=0.0,
        high=0.5,
        include_low=False,
    )
    parts = round(1 / test_fraction)
    _check_fewest(labels, groups, parts)
    for number in range(splits):
        rest, test = _divide(labels, groups, parts, seed + number)[0]
        yield _parts(
            labels, groups, rest, test, validation_fraction, seed + number
        )


def _parts(labels, groups, rest, test, validation_fraction, seed):
    checks.share(validation_fraction, name="validation_fraction")
    train, validation = rest, rest[:0]
    if validation_fraction:
        most = int(np.bincount(labels[rest]).max())
        number = max(2, min(round(1 / validation_fraction), most))
        inner, outer = _divide(labels[rest], groups[rest], number, seed)[0]
        train, validation = rest[inner], rest[outer]
    classes = len(np.unique(labels))
    if len(np.unique(labels[train])) < classes:
        raise ValueError(
            "A class would have no training example in one of the trials. "
            f"Got: {classes} classes, of which the smallest has "
            f"{np.bincount(labels).min()} examples in "
            f"{_fewest_groups(labels, groups)} groups. Add examples, or make "
            "fewer folds."
        )
    return Parts(train, validation, test)


def _check_fewest(labels, groups, number):
    fewest = _fewest_groups(labels, groups)
    if fewest < number:
        raise ValueError(
            f"{number} parts need {number} examples of every class that may "
            f"be in different parts. Got: {fewest} of the rarest class "
            "(examples of equal content, or of one group, stay together). "
            "Make fewer folds, or larger fractions, or add examples."
        )


def _divide(labels, groups, number, seed):
    """Pairs of the rest and one of `number` parts, sorted."""
    shuffled = {"shuffle": True, "random_state": seed}
    if len(np.unique(groups)) == len(groups):
        pairs = model_selection.StratifiedKFold(number, **shuffled).split(
            labels, labels
        )
    else:
        pairs = model_selection.StratifiedGroupKFold(number, **shuffled).split(
            labels, labels, groups
        )
    with warnings.catch_warnings():
        # Of classes with fewer examples than parts.
        warnings.filterwarnings("ignore", "The least populated class")
        pairs = list(pairs)
    return [(np.sort(rest), np.sort(part)) for rest, part in pairs]


def _fewest_groups(labels, groups) -> int:
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    return int(np.unique(pairs[0], return_counts=True)[1].min())
