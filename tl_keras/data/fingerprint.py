"""Hashes of examples by content, remembered for files."""

import concurrent.futures
import hashlib
import json
import os
import tempfile
import time

import numpy as np

from tl_keras import caches

_TASKS = 4096
_DIGEST_BYTES = 16
# A file may change again within one tick of its file system's clock, with the
# same size and time. Files changed this recently are not remembered.
_SETTLED_AFTER_SECONDS = 3.0


def combine(class_names, splits) -> str:
    """The fingerprint of data: equal if and only if the content is equal.

    Args:
        class_names: Names by label.
        splits: Dict of split name to `(digests, labels)` or None, where
            digests is a uint8 array `[examples, 16]` and labels an integer
            array `[examples]`.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> import numpy as np
        >>> from tl_keras.data import fingerprint
        >>> digests = fingerprint.of_rows(np.zeros([2, 4, 4, 1], np.uint8))
        >>> a = fingerprint.combine(["x", "y"], {"train": (digests, [0, 1])})
        >>> b = fingerprint.combine(["x", "y"], {"train": (digests, [1, 0])})
        >>> len(a), a == b
        (32, False)
    """
    hasher = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    hasher.update(json.dumps(list(class_names)).encode())
    for split in sorted(splits):
        if splits[split] is None:
            continue
        digests, labels = splits[split]
        hasher.update(json.dumps([split, len(labels)]).encode())
        hasher.update(np.ascontiguousarray(digests).tobytes())
        hasher.update(np.asarray(labels, "<i8").tobytes())
    return hasher.hexdigest()


def of_bytes(values) -> np.ndarray:
    """Digests of byte strings: uint8 array `[len(values), 16]`.

    Example:
        >>> from tl_keras.data import fingerprint
        >>> fingerprint.of_bytes([b"a", b"b"]).shape
        (2, 16)
    """
    return _rows(_digest(value) for value in values)


def of_rows(array) -> np.ndarray:
    """Digests of an array's rows, by values, dtype and shape.

    Example:
        >>> import numpy as np
        >>> from tl_keras.data import fingerprint
        >>> fingerprint.of_rows(np.zeros([3, 2, 2, 1])).shape
        (3, 16)
    """
    array = np.asarray(array)
    kind = f"{array.dtype.str}{array.shape[1:]}".encode()
    return _rows(_digest(kind + row.tobytes()) for row in array)


def of_files(paths) -> np.ndarray:
    """Digests of files, remembered by path, size and time of change.

    They are remembered in `fingerprints/` under the folder that
    `TL_KERAS_CACHE` names, or else under `~/.cache/tl_keras`. Where that
    folder cannot be written, files are read again each time.

    Args:
        paths: Paths of files.

    Returns:
        uint8 array `[len(paths), 16]`.

    Raises:
        OSError: If a file cannot be read.
    """
    paths = [os.path.realpath(path) for path in paths]
    if not paths:
        return np.zeros([0, _DIGEST_BYTES], np.uint8)
    remembered_at = _memory_file(os.path.commonpath(paths))
    remembered = _read_memory(remembered_at)
    entries = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        # A task takes a kilobyte, and all are made before the first one ends.
        for start in range(0, len(paths), _TASKS):
            some = paths[start : start + _TASKS]
            entries += pool.map(
                lambda path: _entry(path, remembered.get(path)), some
            )
    now = dict(zip(paths, entries, strict=True))
    if any(remembered.get(path) != entry for path, entry in now.items()):
        latest = time.time_ns() - int(_SETTLED_AFTER_SECONDS * 1e9)
        settled = {p: entry for p, entry in now.items() if entry[1] < latest}
        _write_memory(remembered_at, remembered | settled)
    return _rows(bytes.fromhex(entry[2]) for entry in entries)


def _digest(value):
    return hashlib.blake2b(value, digest_size=_DIGEST_BYTES).digest()


def _rows(digests):
    joined = np.frombuffer(b"".join(digests), np.uint8)
    return joined.reshape(-1, _DIGEST_BYTES)


def _entry(path, remembered):
    """`[size, time of change in ns, hex digest]` of a file, read if needed."""
    status = os.stat(path)
    key = [status.st_size, status.st_mtime_ns]
    if remembered and remembered[:2] == key:
        return remembered
    with open(path, "rb") as file:
        return [*key, _digest(file.read()).hex()]


def _memory_file(folder):
    name = _digest(folder.encode()).hex() + ".json"
    return caches.folder("fingerprints") / name


def _read_memory(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _write_memory(path, entries):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that nobody reads half a file.
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w") as file:
            json.dump(entries, file)
        os.replace(name, path)
    except OSError:
        return
