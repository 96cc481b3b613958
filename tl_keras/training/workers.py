"""What the workers of a training tell each other.

A worker is a process; each has the same program. All have to make the same
calls here in the same order: a call returns when every worker has made it.
Where there is one process, that is no work.
"""

import contextlib
import json
import re
import uuid

import numpy as np
import tensorflow as tf

# In one message; what is larger goes in several.
_LONGEST_BYTES = 2**26
_OF_LOST_WORKERS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


class WorkerError(RuntimeError):
    """Another worker could not go on, and so this one cannot."""


def count(strategy=None) -> int:
    """How many workers there are.

    Args:
        strategy: A `tf.distribute.Strategy`; None is the current one.

    Example:
        >>> count()
        1
    """
    return len(_addresses(_or_current(strategy)))


def index(strategy=None) -> int:
    """The number of this worker, from 0. The first one is the chief."""
    strategy = _or_current(strategy)
    addresses = _addresses(strategy)
    if len(addresses) == 1:
        return 0
    resolver = strategy.cluster_resolver
    return addresses.index((resolver.task_type, resolver.task_id))


def is_chief(strategy=None) -> bool:
    """Whether this worker writes the files."""
    return index(strategy) == 0


@contextlib.contextmanager
def losses_told():
    """Says in words, within the context, that another worker is gone.

    TensorFlow finds out within a few seconds: its workers send each other
    signs of life.

    Raises:
        WorkerError: In place of the error with which TensorFlow gave up
            waiting for that worker.
    """
    try:
        yield
    except _OF_LOST_WORKERS as error:
        strategy = tf.distribute.get_strategy()
        if count(strategy) == 1:
            raise
        raise WorkerError(
            f"{_lost(strategy, str(error))} is gone: its process ended or "
            "cannot be reached, and none can go on without it. Look into its "
            "log, then start all workers again: with a `workdir`, they go on "
            "from the last checkpoint."
        ) from error


def wait_for_all(strategy=None):
    """Returns when every worker is here."""
    gathered(None, strategy)


def any_of(flag: bool, strategy=None) -> bool:
    """Whether a flag is set on any worker."""
    return any(gathered(bool(flag), strategy))


def any_of_each(flags, strategy=None) -> np.ndarray:
    """Whether each of several flags is set on any worker.

    Args:
        flags: Bool array of the same shape on all workers.
        strategy: A `tf.distribute.Strategy`; None is the current one.
    """
    strategy = _or_current(strategy)
    if count(strategy) == 1:
        return flags
    return _summed(strategy, flags.astype(np.int64)) > 0


def is_first_in(folder, strategy=None) -> bool:
    """Whether no worker before this one sees the same folder.

    Args:
        folder: A `pathlib.Path`, the same or not on other workers.
        strategy: A `tf.distribute.Strategy`; None is the current one.
    """
    if count(strategy) == 1:
        return True
    mine = folder / f".worker-{uuid.uuid4().hex}"
    # Where it cannot be made, whoever uses the folder will say so.
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        mine.touch()
    try:
        before = gathered(mine.name, strategy)[: index(strategy)]
        is_first = not any((folder / name).exists() for name in before)
        wait_for_all(strategy)
    finally:
        mine.unlink(missing_ok=True)
    return is_first


def from_chief(function, strategy=None):
    """What a function gives on the chief, on all workers.

    Args:
        function: Called without arguments, on the chief alone; gives a value
            for JSON.
        strategy: A `tf.distribute.Strategy`; None is the current one.

    Raises:
        Exception: On the chief, what the function raised.
        WorkerError: On the others then.
    """
    if count(strategy) == 1:
        return function()
    raised, outcome = None, {}
    if is_chief(strategy):
        try:
            outcome["value"] = function()
        except Exception as error:
            raised = error
            outcome["error"] = f"{type(error).__name__}: {error}"
    outcome = of_chief(outcome, strategy)
    if raised is not None:
        raise raised
    if "error" in outcome:
        raise WorkerError(f"The chief stopped. {outcome['error']}")
    return outcome["value"]


def of_chief(value, strategy=None):
    """The chief's value, on all workers.

    Args:
        value: A value for JSON; of other workers it is not looked at.
        strategy: A `tf.distribute.Strategy`; None is the current one.
    """
    content = json.dumps(value).encode() if is_chief(strategy) else b""
    return json.loads(content_of_chief(content, strategy))


def content_of_chief(content: bytes, strategy=None) -> bytes:
    """The chief's bytes, on all workers; those of others are not looked at."""
    strategy = _or_current(strategy)
    if count(strategy) == 1:
        return content
    first = is_chief(strategy)
    size = int(_summed(strategy, [len(content) if first else 0])[0])
    parts = []
    for start in range(0, size, _LONGEST_BYTES):
        length = min(_LONGEST_BYTES, size - start)
        part = content[start : start + length] if first else b""
        words = _summed(strategy, _words(part, length))
        parts.append(words.tobytes()[:length])
    return b"".join(parts)


def gathered(value, strategy=None) -> list:
    """The values of all workers in their order, on all of them.

    Args:
        value: A value for JSON.
        strategy: A `tf.distribute.Strategy`; None is the current one.

    Example:
        >>> gathered({"steps": 3})
        [{'steps': 3}]
    """
    strategy = _or_current(strategy)
    workers = count(strategy)
    if workers == 1:
        return [value]
    content = json.dumps(value).encode()
    sizes = np.zeros([workers], np.int64)
    sizes[index(strategy)] = len(content)
    sizes = _summed(strategy, sizes)
    rows = np.zeros([workers, -(-int(sizes.max()) // 8)], np.int64)
    rows[index(strategy)] = _words(content, 8 * rows.shape[1])
    rows = _summed(strategy, rows)
    return [
        json.loads(row.tobytes()[:size])
        for row, size in zip(rows, sizes, strict=True)
    ]


def _or_current(strategy):
    return tf.distribute.get_strategy() if strategy is None else strategy


def _addresses(strategy) -> list:
    """Job and number of each worker in order; one pair without several."""
    resolver = None
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec():
        return [("worker", 0)]
    spec = resolver.cluster_spec()
    return [
        (job, number)
        for job in ("chief", "worker")
        if job in spec.jobs
        for number in range(spec.num_tasks(job))
    ]


def _lost(strategy, message: str) -> str:
    """The worker that TensorFlow complains of, as far as it says which."""
    found = re.findall(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", message)
    own = _addresses(strategy)[index(strategy)]
    others = {(job, int(number)) for job, number in found} - {own}
    if len(others) != 1:
        return "Another worker"
    ((job, number),) = others
    address = strategy.cluster_resolver.cluster_spec().task_address(job, number)
    return f"Worker {address} ({job} {number})"


def _words(content: bytes, length: int):
    """Bytes as whole numbers, filled up with zeros to a length."""
    filled = content.ljust(-(-length // 8) * 8, b"\0")
    return np.frombuffer(filled, np.int64)


def _summed(strategy, numbers) -> np.ndarray:
    """The sum of the workers' numbers: of one's own where others bring 0."""

    @tf.function(autograph=False)
    def summed(numbers):
        return strategy.run(_sum_over_replicas, args=(numbers,))

    with strategy.scope():
        result = summed(tf.constant(numbers, tf.int64))
    return strategy.experimental_local_results(result)[0].numpy()


def _sum_over_replicas(numbers):
    replica = tf.distribute.get_replica_context()
    local = replica.num_replicas_in_sync // count(replica.strategy)
    # One of a worker's replicas speaks for it.
    speaks = replica.replica_id_in_sync_group % local == 0
    numbers = tf.where(speaks, numbers, tf.zeros_like(numbers))
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, numbers)
