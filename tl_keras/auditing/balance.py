"""How many examples each class has, in each part."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Balance:
    """How the examples are spread over classes and parts.

    Attributes:
        counts: Part to class name to number of examples.
        largest_to_smallest: How many times as many training examples the
            largest class has as the smallest one.
        evenness: Entropy of the training labels as a share of what equal
            classes have, in [0, 1]; 1 is even.
        drift: Part to its distance from the training part: half the sum of
            the differences of the classes' shares, in [0, 1].
        missing: Part to the classes of which it has no example, only parts
            that lack some.
    """

    counts: dict[str, dict[str, int]]
    largest_to_smallest: float
    evenness: float
    drift: dict[str, float]
    missing: dict[str, list[str]]


def of(collection) -> Balance:
    """The balance of a `Collection`.

    Example:
        >>> import tl_keras
        >>> from tl_keras.auditing import balance
        >>> from tl_keras.auditing import collection
        >>> found = balance.of(collection.of(tl_keras.data.load("digits")))
        >>> found.evenness > 0.99, found.missing
        (True, {})
    """
    names = collection.data.class_names
    counts = {
        split: np.bincount(
            collection.labels[collection.splits == split],
            minlength=len(names),
        )
        for split in collection.data.splits
    }
    train = counts["train"]
    shares = train / train.sum()
    some = shares[shares > 0]
    return Balance(
        counts={
            split: dict(zip(names, row.tolist(), strict=True))
            for split, row in counts.items()
        },
        largest_to_smallest=float(train.max() / max(1, train.min())),
        evenness=float(-(some * np.log(some)).sum() / np.log(len(names))),
        drift={
            split: float(np.abs(row / row.sum() - shares).sum() / 2)
            for split, row in counts.items()
            if split != "train"
        },
        missing={
            split: [n for n, count in zip(names, row, strict=True) if not count]
            for split, row in counts.items()
            if not row.all()
        },
    )
