"""Looks for all that can be amiss with data, one thing after another."""

import time

import numpy as np

from tl_keras.auditing import balance
from tl_keras.auditing import collection as collections_
from tl_keras.auditing import doubtful_labels
from tl_keras.auditing import duplicates
from tl_keras.auditing import exclude_list
from tl_keras.auditing import features
from tl_keras.auditing import files as files_
from tl_keras.auditing import leakage
from tl_keras.auditing import neighbours as neighbours_
from tl_keras.auditing import results
from tl_keras.auditing import text_copies

# Neighbours that are looked at as copies, and that judge a label.
_NEIGHBOURS = 20
_CANDIDATES = 10

NOT_OPENED = files_.FileFindings(0, {}, {}, {})


def run(
    data, encoder, *, files=NOT_OPENED, groups=None, settings, seed=0, say=print
) -> results.Audit:
    """Audits data that can be read.

    Args:
        data: A `Data`; its training part is to be whole.
        encoder: An `Encoder` that takes what the data give, or None.
        files: `FileFindings` on what the data were made of.
        groups: Dict of id to group, or None.
        settings: A `PrefixCache`: where the encoder's features are kept.
        seed: Of folds and directions.
        say: Called with lines on what is being done.

    Returns:
        An `Audit`.

    Raises:
        ValueError: If an example has no group.
    """
    began = time.perf_counter()
    collection = collections_.of(data)
    of_each = None if groups is None else _groups_of(collection, groups)
    not_done = {}
    texts, matrix = None, None
    if collection.kind == "text":
        texts = [one.decode() for one in collection.read(_all(collection))]
        matrix = text_copies.pieces(texts)
    vectors = None
    if encoder is not None:
        say(f"Features of {len(collection):,} examples by {encoder.name} ...")
        vectors = features.of(collection, encoder, settings, seed=seed, say=say)
    elif matrix is not None:
        vectors = text_copies.vectors(matrix, seed=seed)
    near = None
    if vectors is not None:
        say("Nearest neighbours ...")
        near, _ = neighbours_.nearest(vectors, _NEIGHBOURS)
    say("Duplicates ...")
    copies, least = _copies(collection, near, texts, matrix, seed)
    doubtful = ()
    if vectors is None:
        not_done["Doubtful labels"] = (
            "sounds are compared by an encoder; name one"
        )
    else:
        say("Labels ...")
        try:
            doubtful = doubtful_labels.find(
                vectors,
                collection.labels,
                _without_copies(near, copies),
                data.num_classes,
                seed=seed,
            )
        except ValueError as error:
            not_done["Doubtful labels"] = str(error)
    return results.Audit(
        collection=collection,
        encoder=None if encoder is None else encoder.name,
        files=files,
        balance=balance.of(collection),
        duplicates=tuple(copies),
        least_likeness=least,
        leakage=leakage.of(collection, copies, of_each),
        doubtful_labels=tuple(doubtful),
        not_done=not_done,
        excluded=exclude_list.of(collection, files, copies),
        seconds=time.perf_counter() - began,
    )


def _copies(collection, near, texts, matrix, seed):
    """Groups of copies, and how alike near ones are at least."""
    exact = duplicates.exact_pairs(collection.digests)
    if texts is None:
        candidates = None if near is None else near[:, :_CANDIDATES]
        pairs, alike, least = duplicates.near_pairs(
            collection, candidates, seed=seed
        )
    else:
        pairs, alike = text_copies.near_pairs(matrix)
        least = text_copies.LIKENESS
        written_alike = duplicates.exact_pairs(text_copies.digests(texts))
        pairs = np.concatenate([pairs, written_alike])
        alike = np.concatenate([alike, np.ones(len(written_alike))])
    # What is equal is no near duplicate.
    digests = collection.digests
    differ = (digests[pairs[:, 0]] != digests[pairs[:, 1]]).any(axis=1)
    found = duplicates.groups(
        len(collection), exact, pairs[differ], alike[differ]
    )
    return found, least


def _without_copies(near, groups):
    """Neighbours, with -1 in place of copies of the example itself."""
    group_of = np.arange(len(near))
    for group in groups:
        group_of[list(group.indices)] = group.indices[0]
    return np.where(group_of[near] == group_of[:, None], -1, near)


def _groups_of(collection, groups):
    missing = [id_ for id_ in collection.ids if id_ not in groups]
    if missing:
        raise ValueError(
            f"{len(missing)} examples have no group. Got none for: "
            f"{missing[:5]}. Expected one for each id, as `data.ids(split)` "
            "has them."
        )
    return np.array([groups[id_] for id_ in collection.ids], object)


def _all(collection):
    return np.arange(len(collection))
