"""What an encoder gives for each example, from the prefix cache's stores."""

import keras
import numpy as np

from tl_keras import cards
from tl_keras import heads
from tl_keras import models
from tl_keras.training import frozen_results
from tl_keras.tuning import groups
from tl_keras.tuning import phases

_DIMENSIONS = 256
# Directions are found on so many examples; all are seen from them.
_FITTED = 20_000
_BATCH = 2048


def of(collection, encoder, settings, *, seed: int, say=print) -> np.ndarray:
    """A short vector for each example, close for examples that look alike.

    What the encoder gives is read from the store that a phase which trains
    the head alone reads too, and computed and kept there where it lacks. It
    is averaged over positions, and turned to its 256 main directions (PCA).

    Args:
        collection: A `Collection`.
        encoder: An `Encoder` for its inputs.
        settings: A `PrefixCache`: where the results are kept.
        seed: Of the choice of examples on which directions are found.
        say: Called with a line on what was computed.

    Returns:
        float32 array `[examples, at most 256]`. The features themselves are
        never in memory all at once.

    Raises:
        OSError: If they cannot be kept.
        ValueError: If the encoder cannot be cut from a head.
    """
    readers = _readers(collection, encoder, settings, say)
    sizes = [len(part) for part in collection.data.splits.values()]
    bounds = np.cumsum([0, *sizes])

    def read(indices):
        """Features at sorted indices."""
        rows = []
        for reader, start, end in zip(
            readers, bounds[:-1], bounds[1:], strict=True
        ):
            mine = indices[(indices >= start) & (indices < end)] - start
            if len(mine):
                rows.append(_vectors(reader.read(mine)))
        return np.concatenate(rows)

    return project(read, len(collection), seed=seed)


def project(read, count: int, *, seed: int) -> np.ndarray:
    """Rows turned to their main directions, without all being in memory.

    Args:
        read: Called with a sorted integer array of indices; gives float rows
            `[rows, width]`.
        count: How many rows there are.
        seed: Of the choice of rows on which the directions are found.

    Returns:
        float32 array `[count, at most 256]`.
    """
    from sklearn import decomposition

    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(count)[:_FITTED])
    some = read(chosen)
    pca = decomposition.PCA(
        min(_DIMENSIONS, *some.shape),
        svd_solver="randomized",
        random_state=seed,
    ).fit(some)
    return np.concatenate(
        [
            pca.transform(read(np.arange(start, min(start + _BATCH, count))))
            for start in range(0, count, _BATCH)
        ]
    ).astype(np.float32)


def _readers(collection, encoder, settings, say) -> list:
    """A reader of kept features for each part."""
    data = collection.data
    head = heads.Classifier(num_classes=data.num_classes)
    model = models.build(encoder, head)
    resolved = groups.resolve(model, cards.of(model).groups)
    phase = phases.Phase(name="audit", train="head", epochs=1)
    readers = []
    for split, part in data.splits.items():
        reader, _, _ = frozen_results.of(
            model,
            resolved,
            data,
            part,
            phase,
            settings,
            say=lambda text, split=split: say(f"{split}: {text}"),
        )
        readers.append(reader)
    return readers


def _vectors(tensors) -> np.ndarray:
    """One vector for each example: means over positions, side by side."""
    rows = [keras.ops.convert_to_numpy(tensor) for tensor in tensors]
    pooled = [
        row.reshape(len(row), -1, row.shape[-1]).mean(axis=1) for row in rows
    ]
    return np.concatenate(pooled, axis=1).astype(np.float32)
