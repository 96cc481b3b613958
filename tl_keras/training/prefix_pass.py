"""Runs a model's frozen beginning over data, and keeps what it gives."""

import contextlib
import dataclasses
import time

import keras
import numpy as np
import tensorflow as tf

from tl_keras import graph
from tl_keras.data import prefetching
from tl_keras.training import replicas
from tl_keras.training import training_model
from tl_keras.training import workers

_VALUES_PER_BATCH = 2**23
_SMALLEST_BATCH, _LARGEST_BATCH = 16, 256
# What an example gives in another batch is rounded otherwise, and no more.
_TOLERANCE = 1e-2


class NotPerExample(Exception):
    """The beginning gives an example what depends on others in its batch."""


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """One split in one view, in stored order.

    Attributes:
        reader: Reads inputs, or the features at an earlier cut, by index.
        change: From inputs and their indices to their copies in this view.
        digests: uint8 array `[examples, 16]`: what identifies the copies.
    """

    reader: object
    change: object
    digests: np.ndarray

    def read(self, indices):
        """A batch in this view."""
        return self.change(self.reader.read(indices), indices)


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """Where the values at one cut go.

    Attributes:
        values: The values of the graph, one for each tensor of the store.
        store: A `FeatureStore`.
    """

    values: tuple
    store: object


@dataclasses.dataclass(frozen=True)
class PassReport:
    """What a pass did.

    Attributes:
        examples: How many examples it computed, each view counted.
        seconds: How long it took.
        rounding: Largest difference of a stored number from the computed one,
            as a share of the largest of them all.
    """

    examples: int
    seconds: float
    rounding: float


class Beginning:
    """A part of a model, ready to run on batches in inference mode.

    Args:
        model: The user's model.
        part: What of its graph runs.
        takes_inputs: Whether it takes what the model takes, and not what an
            earlier cut gives.
    """

    def __init__(self, model, part: graph.Flat, *, takes_inputs: bool):
        self._model = model
        self._part = part
        self._takes_inputs = takes_inputs
        self.traced = tf.function(self.run)

    def batch_size(self, num_examples: int) -> int:
        """How many examples at a time keep the processor busy."""
        size = sum(
            int(np.prod([n or 1 for n in value.tensor.shape[1:]]))
            for value in self._part.inputs
        )
        fitting = min(_LARGEST_BATCH, _VALUES_PER_BATCH // max(1, size))
        fitting = min(max(fitting, _SMALLEST_BATCH), num_examples)
        count = tf.distribute.get_strategy().num_replicas_in_sync
        return -(-fitting // count) * count

    def run(self, inputs) -> list:
        """What the part gives for a batch that the replicas can share.

        Args:
            inputs: The rows that this worker's replicas compute.

        Returns:
            Tensors with the rows of all workers.
        """
        if self._takes_inputs:
            inputs = graph.as_declared(self._model, inputs)
        return replicas.compute(
            lambda mine: self._part.run(mine, training_model.infer), inputs
        )


def compute(
    beginning, parts, targets, *, watch=None, writes: bool = True
) -> PassReport:
    """Adds to stores what they lack of the parts.

    Each worker reads and computes its share of every batch, and gets what the
    others computed.

    Args:
        beginning: A `Beginning` that gives the values of all targets, one
            after another.
        parts: `Part`s.
        targets: `Target`s.
        watch: Called after each batch but the first with how many examples
            there are, and the seconds that one took (tracing not counted).
            What it raises ends the pass; what was computed is kept.
        writes: Whether this worker writes. If not, another one writes into
            the same folder.

    Returns:
        A `PassReport`.

    Raises:
        OSError: If a store cannot be written.
        NotPerExample: If a result is not that of one example.
        ValueError: If a number does not fit into a store's precision.
    """
    began = time.perf_counter()
    lacks = [
        {target: target.store.find(part.digests) < 0 for target in targets}
        for part in parts
    ]
    lacking = [
        _first_ones(
            part,
            workers.any_of_each(np.logical_or.reduce(list(masks.values()))),
        )
        for part, masks in zip(parts, lacks, strict=True)
    ]
    total = sum(map(len, lacking))
    batch_size = beginning.batch_size(max(len(p.digests) for p in parts))
    done, rounding, since = 0, _Rounding(), None
    with contextlib.ExitStack() as stack:
        # One order for all processes, so that no two wait for each other.
        writers = {
            target: stack.enter_context(target.store.writing())
            for target in sorted(targets, key=lambda t: t.store.folder)
            if writes
        }
        for part, indices, masks in zip(parts, lacking, lacks, strict=True):
            for start, batch in _batches(part, indices, batch_size):
                chosen = indices[start : start + batch_size]
                tensors = [t.numpy() for t in beginning.traced(batch)]
                if since is None:
                    _check_per_example(beginning, batch, tensors)
                outputs = [array[: len(chosen)] for array in tensors]
                for target in targets:
                    mine = outputs[: len(target.values)]
                    outputs = outputs[len(target.values) :]
                    if not writes:
                        continue
                    new = masks[target][chosen]
                    writers[target].add(
                        part.digests[chosen[new]],
                        [
                            rounding.cast(array[new], spec.dtype)
                            for array, spec in zip(
                                mine, target.store.specs, strict=True
                            )
                        ],
                    )
                done += len(chosen)
                if since is None:
                    since, already = time.perf_counter(), done
                elif watch is not None:
                    seconds = time.perf_counter() - since
                    watch(total, seconds / (done - already))
    workers.wait_for_all()
    if not writes:
        for target in targets:
            target.store.read_again()
    return PassReport(total, time.perf_counter() - began, rounding.share)


def _check_per_example(beginning, batch, tensors):
    """Sees to it that a few examples give alone what they give among many."""
    count = workers.count()
    few = beginning.batch_size(1) // count
    alone = beginning.run([one[:few] for one in batch])
    # Of each worker's rows the first ones.
    rows = np.arange(count * len(batch[0])).reshape(count, -1)[:, :few].ravel()
    for now, among_many in zip(alone, tensors, strict=True):
        if len(among_many) != count * len(batch[0]) or len(now) != len(rows):
            raise NotPerExample("its results are not one for each example")
        difference, largest = compared(now, among_many[rows])
        if difference > _TOLERANCE * largest:
            raise NotPerExample(
                "what is frozen in front mixes the examples of a batch"
            )


def mine_of(indices, batch_size: int) -> np.ndarray:
    """Those of the indices in batches that this worker reads.

    Args:
        indices: Array of whole batches, one after another.
        batch_size: A multiple of the number of workers.
    """
    shares = np.reshape(
        indices, [-1, workers.count(), batch_size // workers.count()]
    )
    return shares[:, workers.index()].ravel()


def compared(now, kept) -> tuple[float, float]:
    """The largest difference of two arrays, and the largest value of one.

    Args:
        now: What a model gives, of any dtype.
        kept: What it should be, of the same shape.

    Example:
        >>> compared([1.0, -4.0], [1.0, -3.0])
        (1.0, 4.0)
    """
    now, kept = np.asarray(now, "float64"), np.asarray(kept, "float64")
    difference = np.abs(now - kept).max(initial=0.0)
    return float(difference), float(np.abs(now).max(initial=0.0))


def _first_ones(part, mask) -> np.ndarray:
    """Indices where a mask is set, of equal examples the first."""
    _, first = np.unique(part.digests, axis=0, return_index=True)
    return np.intersect1d(np.flatnonzero(mask), first)


def _batches(part, indices, batch_size):
    """Start of each batch, and the batch, filled up to the full size.

    A batch of another size would be traced again, and rounded otherwise.
    """
    if not len(indices):
        return
    filled = -(-len(indices) // batch_size) * batch_size
    padded = np.pad(indices, (0, filled - len(indices)), mode="edge")
    batches = (
        tf.data.Dataset.from_tensor_slices(mine_of(padded, batch_size))
        .batch(batch_size // workers.count(), drop_remainder=True)
        .map(
            lambda chosen: tuple(keras.tree.flatten(part.read(chosen))),
            num_parallel_calls=2,
            deterministic=True,
        )
    )
    batches = prefetching.prefetched(batches)
    yield from zip(range(0, filled, batch_size), batches, strict=True)


class _Rounding:
    """Casts, and remembers by how much that changed the numbers."""

    def __init__(self):
        self._difference = 0.0
        self._largest = 0.0

    @property
    def share(self) -> float:
        return self._difference / self._largest if self._largest else 0.0

    def cast(self, array, dtype):
        if array.dtype.name == dtype:
            return array
        cast = array.astype(tf.dtypes.as_dtype(dtype).as_numpy_dtype)
        back = cast.astype(array.dtype)
        if not np.isfinite(back).all() and np.isfinite(array).all():
            raise ValueError(
                "What the frozen part of the model gives does not fit into "
                f"{dtype}. Got values up to {np.abs(array).max():.4g}. Keep "
                "it as bfloat16, or leave `dtype` of the prefix cache out."
            )
        difference = np.abs(back - array).max(initial=0.0)
        self._difference = max(self._difference, float(difference))
        self._largest = max(
            self._largest, float(np.abs(array).max(initial=0.0))
        )
        return cast
