"""All examples of data in one row, whatever part they are in."""

import dataclasses

import numpy as np
import tensorflow as tf

from tl_keras.data import prefetching

_BATCH = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Collection:
    """The examples of all parts, one part after another.

    Attributes:
        data: The `Data` they are from.
        ids: Array of `str` `[examples]`.
        labels: np.int64 `[examples]`.
        splits: Array of `str` `[examples]`: the part each is in.
        digests: uint8 `[examples, 16]`: hashes of their content.
    """

    data: object
    ids: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    digests: np.ndarray

    def __len__(self):
        return len(self.labels)

    @property
    def kind(self) -> str:
        """What the inputs are: `"image"`, `"text"` or `"audio"`."""
        return self.data.input_spec.kind

    def read(self, indices) -> np.ndarray:
        """The inputs at some indices, in their order; see `Data.train`.

        Raises:
            tf.errors.InvalidArgumentError: If one cannot be decoded.
        """
        indices = np.asarray(indices)
        inputs = [None] * len(indices)
        start = 0
        for examples in self.data.splits.values():
            end = start + len(examples)
            mine = np.flatnonzero((indices >= start) & (indices < end))
            if len(mine):
                wanted = tf.constant(indices[mine] - start, tf.int64)
                read = examples.inputs.read(wanted).numpy()
                for place, one in zip(mine, read, strict=True):
                    inputs[place] = one
            start = end
        return np.array(inputs, object if self.kind == "text" else None)

    def batches(self):
        """Yields start and inputs of each batch, in order."""
        start = 0
        for examples in self.data.splits.values():
            batches = (
                tf.data.Dataset.range(len(examples))
                .batch(_BATCH)
                .map(examples.inputs.read, tf.data.AUTOTUNE, deterministic=True)
            )
            batches = prefetching.prefetched(batches)
            for batch in batches.as_numpy_iterator():
                yield start, batch
                start += len(batch)


def of(data) -> Collection:
    """The examples of a `Data`, its parts in the order in which it has them.

    Example:
        >>> import tl_keras
        >>> from tl_keras.auditing import collection
        >>> found = collection.of(tl_keras.data.load("digits"))
        >>> len(found), found.splits[0]
        (1797, 'train')
    """
    parts = data.splits.values()
    return Collection(
        data,
        ids=np.concatenate([part.ids for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        splits=np.repeat(
            np.array(list(data.splits), object), [len(part) for part in parts]
        ),
        digests=np.concatenate([part.digests for part in parts]),
    )
