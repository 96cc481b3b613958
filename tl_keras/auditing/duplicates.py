"""Examples that are there more than once, as they are or nearly so."""

import collections
import dataclasses

import numpy as np

from tl_keras.auditing import likeness
from tl_keras.auditing import perceptual_hashes
from tl_keras.auditing import thumbnails

# Pictures whose hashes differ in at most so many of 63 signs are looked at.
_MOST_DIFFERENT = 8
# How alike the details of near duplicates are at least, see
# `likeness.of_pairs`. Of CIFAR-10's images, recompressed as JPEG of quality
# 50, 99 in 100 are so.
LIKENESS = 0.85
# Pairs of one class from which is known how alike images are that are none.
_COMPARED = 4000


@dataclasses.dataclass(frozen=True)
class DuplicateGroup:
    """Examples of which each is a copy of another one.

    Attributes:
        indices: The examples, sorted.
        exact: Whether all have the same content, byte for byte or, of
            texts, letter for letter.
        likeness: How alike the two least alike neighbours in the chain of
            copies are: 1 is equal.
    """

    indices: tuple[int, ...]
    exact: bool
    likeness: float


def exact_pairs(digests) -> np.ndarray:
    """Pairs of examples of equal content.

    Args:
        digests: uint8 array `[examples, 16]`.

    Returns:
        int64 array `[pairs, 2]`: each later example with the first one.

    Example:
        >>> import numpy as np
        >>> from tl_keras.auditing import duplicates
        >>> digests = np.zeros([3, 16], np.uint8)
        >>> digests[1] = 1
        >>> duplicates.exact_pairs(digests).tolist()
        [[0, 2]]
    """
    _, first, inverse = np.unique(
        digests, axis=0, return_index=True, return_inverse=True
    )
    of_each = first[inverse.reshape(-1)]
    later = np.flatnonzero(of_each != np.arange(len(digests)))
    return np.stack([of_each[later], later], axis=1).astype(np.int64)


def near_pairs(collection, neighbours, *, seed: int):
    """Pairs of images, or of clips, that look nearly the same.

    Candidates are pairs whose perceptual hashes are close, and neighbours in
    the features of an encoder. What of them are copies is decided on
    thumbnails, see `likeness.of_pairs`; of clips, on pictures of their
    spectrogram. They are at least as alike as `threshold` says.

    Args:
        collection: A `Collection` of images or clips.
        neighbours: int64 array `[examples, count]` of the nearest neighbours,
            or None.
        seed: Of the choice of pairs for the threshold.

    Returns:
        int64 array `[pairs, 2]`, the lower index first, float array `[pairs]`
        of how alike they are, and the threshold.
    """
    is_image = collection.kind == "image"
    pictures = thumbnails.of(collection)
    candidates = [
        perceptual_hashes.close_pairs(
            perceptual_hashes.of(pictures), _MOST_DIFFERENT, mirrored=is_image
        )
    ]
    if neighbours is not None:
        candidates.append(_as_pairs(neighbours))
    pairs = np.unique(np.concatenate(candidates), axis=0)
    alike = likeness.of_pairs(pictures, pairs, mirrored=is_image)
    unrelated = likeness.of_pairs(
        pictures,
        _pairs_within_classes(collection.labels, seed),
        mirrored=is_image,
        quick=False,
    )
    least = threshold(unrelated, len(collection))
    return pairs[alike >= least], alike[alike >= least], least


def threshold(unrelated, count: int) -> float:
    """How alike two examples have to be to be near duplicates.

    At least `LIKENESS`. Where all examples of a class look alike, as digits
    on white paper do, more: so much that among all pairs of examples one is
    expected to be so alike by chance. Correlations of unrelated examples are
    taken for normally distributed by Fisher's transformation, their spread
    from the upper half of those given.

    Args:
        unrelated: float array of how alike unrelated examples are.
        count: Number of examples.

    Example:
        >>> import numpy as np
        >>> from tl_keras.auditing import duplicates
        >>> duplicates.threshold(np.full(9, 0.2), 1000)
        0.85

    Reference:
        Fisher, "Frequency Distribution of the Values of the Correlation
        Coefficient in Samples from an Indefinitely Large Population",
        Biometrika 1915, https://doi.org/10.2307/2331838
    """
    from scipy import stats

    if not len(unrelated):
        return LIKENESS
    values = np.arctanh(np.clip(unrelated, -0.999, 0.999))
    # The upper half alone: a few copies among the pairs shift it little.
    middle, above = np.quantile(values, [0.5, 0.8413])
    pairs = max(2.0, count * (count - 1) / 2)
    least = np.tanh(middle + (above - middle) * stats.norm.isf(1 / pairs))
    return max(LIKENESS, float(least))


def groups(count: int, exact, near, near_likeness) -> list[DuplicateGroup]:
    """Pairs joined to groups, the largest likeness first.

    Args:
        count: Number of examples.
        exact: int64 array `[pairs, 2]` of equal examples.
        near: int64 array `[pairs, 2]` of nearly equal ones.
        near_likeness: float array `[pairs]`.

    Returns:
        Groups of at least two examples; a pair may be joined by a third one
        that is a copy of both.

    Example:
        >>> from tl_keras.auditing import duplicates
        >>> found = duplicates.groups(5, [[0, 3]], [[3, 4]], [0.9])
        >>> found[0].indices, found[0].exact
        ((0, 3, 4), False)
    """
    from scipy import sparse
    from scipy.sparse import csgraph

    exact = np.asarray(exact, np.int64).reshape(-1, 2)
    near = np.asarray(near, np.int64).reshape(-1, 2)
    links = np.concatenate([exact, near])
    alike = np.concatenate([np.ones(len(exact)), near_likeness])
    first, second = links.T
    matrix = sparse.coo_matrix(
        (np.ones(len(links)), (first, second)), shape=(count, count)
    )
    _, labels = csgraph.connected_components(matrix, directed=False)
    members, weakest = collections.defaultdict(set), {}
    for (a, b), value in zip(links.tolist(), alike.tolist(), strict=True):
        label = labels[a]
        members[label].update((a, b))
        weakest[label] = min(weakest.get(label, 1.0), value)
    in_near = set(labels[near.reshape(-1)].tolist())
    found = [
        DuplicateGroup(
            tuple(sorted(members[label])),
            label not in in_near,
            round(min(1.0, weakest[label]), 4),
        )
        for label in members
    ]
    return sorted(found, key=lambda g: (-g.likeness, g.indices))


def _pairs_within_classes(labels, seed):
    """Random pairs of different examples with the same label."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(labels)), labels))
    same = labels[order[:-1]] == labels[order[1:]]
    pairs = np.stack([order[:-1], order[1:]], axis=1)[same]
    return rng.permutation(pairs)[:_COMPARED]


def _as_pairs(neighbours):
    count, width = neighbours.shape
    own = np.repeat(np.arange(count), width)
    return np.sort(np.stack([own, neighbours.reshape(-1)], axis=1), axis=1)
