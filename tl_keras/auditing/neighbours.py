"""The nearest neighbours of each example among all others."""

import numpy as np


def nearest(vectors, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The most similar other rows of each row.

    Distances are computed block by block, so that memory grows with the rows
    and not with their square.

    Args:
        vectors: float array `[rows, width]`.
        count: How many neighbours each gets, less where there are fewer rows.

    Returns:
        int64 array `[rows, count]`, the nearest first, and float array
        `[rows, count]` of cosine similarities. A row is no neighbour of
        itself.

    Example:
        >>> from tl_keras.auditing import neighbours
        >>> rows = [[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]]
        >>> neighbours.nearest(rows, 1)[0].tolist()
        [[2], [2], [0]]
    """
    # scikit-learn takes a second to import.
    import sklearn
    from sklearn import neighbors

    vectors = unit(vectors)
    count = min(count, len(vectors) - 1)
    search = neighbors.NearestNeighbors(
        n_neighbors=count, algorithm="brute", metric="euclidean"
    ).fit(vectors)
    with sklearn.config_context(working_memory=256):
        # Without an argument, a row is not counted as its own neighbour.
        distances, indices = search.kneighbors()
    # Of vectors of length 1, |a - b|^2 = 2 - 2 cos.
    return indices.astype(np.int64), 1 - distances**2 / 2


def unit(vectors) -> np.ndarray:
    """Rows scaled to length 1; rows of zeros stay as they are."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
