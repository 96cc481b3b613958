"""Texts that are there more than once, in other case or with small changes."""

import re
import unicodedata

import numpy as np

from tl_keras.data import fingerprint

# How alike the pieces of four letters of near duplicates are (cosine).
LIKENESS = 0.8
_NEIGHBOURS = 10


def normalised(text: str) -> str:
    """A text without case, punctuation, and how its letters are written.

    Example:
        >>> from tl_keras.auditing import text_copies
        >>> text_copies.normalised(" A  Film,\\nindeed! ")
        'a film indeed'
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    kept = re.sub(r"[^\w\s]|_", " ", text)
    # A text of nothing but signs is what it is.
    return " ".join(kept.split()) or " ".join(text.split())


def digests(texts) -> np.ndarray:
    """Digests of normalised texts: uint8 array `[texts, 16]`."""
    return fingerprint.of_bytes(normalised(text).encode() for text in texts)


def pieces(texts):
    """What texts are made of: weights of their pieces of 2 to 4 letters.

    Args:
        texts: Strings.

    Returns:
        A sparse float matrix `[texts, 2**18]` of rows of length 1, the rarer
        pieces with more weight (TF-IDF).
    """
    from sklearn import pipeline
    from sklearn.feature_extraction import text as text_features

    return pipeline.make_pipeline(
        text_features.HashingVectorizer(
            analyzer="char_wb",
            ngram_range=(2, 4),
            n_features=2**18,
            alternate_sign=False,
            dtype=np.float32,
        ),
        text_features.TfidfTransformer(sublinear_tf=True),
    ).fit_transform([normalised(text) for text in texts])


def near_pairs(matrix) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of texts that share nearly all of their pieces.

    Args:
        matrix: From `pieces`.

    Returns:
        int64 array `[pairs, 2]`, the lower index first, and float array
        `[pairs]` of how alike they are.
    """
    import sklearn
    from sklearn import neighbors

    count = min(_NEIGHBOURS, matrix.shape[0] - 1)
    search = neighbors.NearestNeighbors(
        n_neighbors=count, metric="cosine", algorithm="brute"
    ).fit(matrix)
    with sklearn.config_context(working_memory=256):
        distances, indices = search.kneighbors()
    alike = 1 - distances.reshape(-1)
    own = np.repeat(np.arange(matrix.shape[0]), count)
    pairs = np.sort(np.stack([own, indices.reshape(-1)], axis=1), axis=1)
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    close = alike[first] >= LIKENESS
    return pairs[close].astype(np.int64), alike[first][close]


def vectors(matrix, *, seed: int) -> np.ndarray:
    """Short vectors for texts without an encoder (latent semantic analysis).

    Args:
        matrix: From `pieces`.
        seed: Of the decomposition.

    Returns:
        float32 array `[texts, at most 256]`.
    """
    from sklearn import decomposition

    width = min(256, matrix.shape[0] - 1)
    return (
        decomposition.TruncatedSVD(width, random_state=seed)
        .fit_transform(matrix)
        .astype(np.float32)
    )
