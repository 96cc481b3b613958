"""Stratified, seeded parts of a set of examples."""

import numpy as np


def hold_out(labels, count: int, *, seed: int, class_names):
    """Divides examples into the rest and a part held out, class by class.

    Each class gives to both parts in proportion (stratified), and the choice
    depends on `seed` alone. A class of very few examples may have none in the
    part held out; the rest has some of every class.

    Args:
        labels: np.int64 array `[examples]`.
        count: How many examples to hold out. Where it is below the number of
            classes, as many as there are classes are held out.
        seed: Seed of the choice, in [0, 2**32 - 1].
        class_names: Names by label, for errors.

    Returns:
        Two sorted np.int64 arrays of indices: the rest, and what is held out.

    Raises:
        ValueError: If a class has fewer than two examples, or would have none
            in the rest.

    Example:
        >>> import numpy as np
        >>> from tl_keras.data import splits
        >>> labels = np.array([0] * 8 + [1] * 4)
        >>> rest, held_out = splits.hold_out(
        ...     labels, 3, seed=0, class_names=("a", "b"))
        >>> np.bincount(labels[held_out]).tolist()
        [2, 1]
    """
    counts = np.bincount(labels, minlength=len(class_names))
    if counts.min() < 2:
        raise ValueError(
            f"Class {class_names[counts.argmin()]!r} has {counts.min()} "
            "training example, and to split off a part takes at least 2 of "
            "every class. Add examples, or give a validation part of your "
            "own, or none (`validation_fraction=0`, or `validation=False` "
            "for arrays)."
        )
    count = max(count, len(class_names))
    if count > len(labels) - len(class_names):
        raise ValueError(
            f"Too many examples to hold out. Got: {count} of {len(labels)}. "
            f"Expected that one of each of the {len(class_names)} classes "
            "stays; choose a smaller `validation_fraction`."
        )
    # scikit-learn takes long to import, and most of the package needs none.
    from sklearn import model_selection

    rest, held_out = model_selection.train_test_split(
        np.arange(len(labels)),
        test_size=count,
        stratify=labels,
        random_state=seed,
    )
    left = np.bincount(labels[rest], minlength=len(class_names))
    if left.min() == 0:
        raise ValueError(
            f"Class {class_names[left.argmin()]!r} would have no training "
            "example left. Add examples, or choose a smaller "
            "`validation_fraction`."
        )
    return np.sort(rest), np.sort(held_out)


def subset(labels, count: int, *, seed: int, class_names):
    """Chooses examples, class by class in proportion, at least one of each.

    Args:
        labels: np.int64 array `[examples]` in which every class occurs.
        count: How many to choose, from the number of classes to all of them.
        seed: Seed of the choice, at least 0.
        class_names: Names by label.

    Returns:
        Sorted np.int64 array of `count` indices.

    Raises:
        ValueError: If `count` is too small or too large.

    Example:
        >>> import numpy as np
        >>> from tl_keras.data import splits
        >>> labels = np.array([0] * 6 + [1] * 3)
        >>> chosen = splits.subset(labels, 3, seed=0, class_names=("a", "b"))
        >>> np.bincount(labels[chosen]).tolist()
        [2, 1]
    """
    if not len(class_names) <= count <= len(labels):
        raise ValueError(
            f"`train_examples` is out of range. Got: {count}. Expected between "
            f"{len(class_names)}, one of each class, and {len(labels)}, all "
            "that is left for training."
        )
    # scikit-learn's splitters refuse to leave out fewer examples than there
    # are classes, and to choose from a class of one.
    rng = np.random.default_rng(seed)
    quotas = _quotas(np.bincount(labels), count)
    chosen = [
        rng.choice(np.flatnonzero(labels == label), quota, replace=False)
        for label, quota in enumerate(quotas)
    ]
    return np.sort(np.concatenate(chosen))


def _quotas(sizes, count):
    """Whole numbers in proportion to `sizes`, at least 1, that sum to count."""
    shares = np.maximum(sizes * count / sizes.sum(), 1)
    quotas = np.floor(shares).astype(int)
    while quotas.sum() > count:
        quotas[np.argmax(quotas)] -= 1
    missing = count - quotas.sum()
    quotas[np.argsort(quotas - shares, kind="stable")[:missing]] += 1
    return quotas
