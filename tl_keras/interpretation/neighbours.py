"""The training examples that are most like an example, to the model."""

import dataclasses

import numpy as np
from sklearn import neighbors
from sklearn import preprocessing

from tl_keras import checks


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """A training example near another.

    Attributes:
        index: Its position.
        similarity: Cosine of the angle between the features, -1 to 1.
    """

    index: int
    similarity: float


def nearest_neighbours(
    training_features, features, *, count: int = 5
) -> list[list[Neighbour]]:
    """The training examples whose features point the same way.

    What a model learned its answer from; where none of them shows what the
    example shows, the answer is a guess.

    Args:
        training_features: float `[training_examples, width]`.
        features: float `[examples, width]`.
        count: How many for each, at least 1.

    Returns:
        For each example its neighbours, the most similar first.

    Raises:
        ValueError: If the two do not fit, or hold NaN.

    Example:
        >>> kept = [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]
        >>> [[first, second]] = nearest_neighbours(kept, [[0.0, 1.0]], count=2)
        >>> first.index, second.index, round(second.similarity, 3)
        (1, 2, 0.707)
    """
    checks.integer(count, name="count", low=1)
    training_features = np.asarray(training_features, np.float32)
    features = np.asarray(features, np.float32)
    fits = (
        training_features.ndim == features.ndim == 2
        and training_features.shape[1] == features.shape[1]
        and len(training_features)
    )
    if not fits or not len(features):
        raise ValueError(
            "`training_features` and `features` do not fit. Got shapes: "
            f"{training_features.shape} and {features.shape}. Expected rows "
            "of the same width, `[examples, width]`."
        )
    # Unit vectors are ordered by their distance as by their angle.
    search = neighbors.NearestNeighbors(
        n_neighbors=min(count, len(training_features)), algorithm="brute"
    ).fit(preprocessing.normalize(training_features))
    distances, indices = search.kneighbors(preprocessing.normalize(features))
    return [
        [
            Neighbour(int(index), float(1 - distance**2 / 2))
            for index, distance in zip(*row, strict=True)
        ]
        for row in zip(indices, distances, strict=True)
    ]
