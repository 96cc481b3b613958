"""Checkpoints on disk: a folder of numbered files, each whole or ignored.

A file holds a header in JSON and arrays, with checksums. It is written beside
and renamed, so that a kill at any moment leaves the earlier ones.
"""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import shutil

import ml_dtypes  # noqa: F401  NumPy learns of bfloat16 from it.
import numpy as np

FOLDER = "checkpoints"
_MAGIC = b"tlkeras1"
_SUFFIX = ".checkpoint"
# The one key of a dict that stands for an array.
_ARRAY = "array "
_LENGTH_BYTES = 8
_DIGEST_BYTES = 32
_KEPT = 2


class CheckpointFolder:
    """The checkpoints in one folder, which is made by the first.

    Args:
        path: The folder.
        say: Called with what is to be told.

    Attributes:
        path: As given.
        say: As given.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> folder = CheckpointFolder(tempfile.mkdtemp(), print)
        >>> folder.write({"step": 3, "weights": [np.ones(2)]})
        >>> folder.newest()["weights"]
        [array([1., 1.])]
    """

    def __init__(self, path, say):
        self.path = pathlib.Path(path)
        self.say = say
        self._damaged = set()

    def write(self, content):
        """Writes the next checkpoint, and removes all but the last two.

        Args:
            content: Dicts with texts as keys, lists, texts, numbers, None, and
                NumPy arrays, as deep as they may be.

        Raises:
            OSError: If it cannot be written, e.g. to a full disk. The earlier
                ones are as they were.
            TypeError: If there is something else in `content`.
        """
        arrays = _Arrays()
        content = _without_arrays(content, arrays, "content")
        numbers = self._numbers()
        number = numbers[0] + 1 if numbers else 1
        part = self._file(number).with_suffix(".part")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for left in self.path.glob("*.part"):
                left.unlink(missing_ok=True)  # By a process that was killed.
            _write_durably(part, _blocks(content, arrays))
            os.replace(part, self._file(number))
            _sync_folder(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise OSError(
                error.errno,
                f"A checkpoint could not be written: {error.strerror}. Those "
                "before it are as they were: make room, and start again to go "
                "on from there",
                str(part),
            ) from error
        whole = [one for one in numbers if one not in self._damaged]
        for one in {*whole[_KEPT - 1 :], *self._damaged}:
            self._file(one).unlink(missing_ok=True)

    def newest(self):
        """What the newest whole checkpoint holds, or None.

        A damaged one is passed over, and told.

        Raises:
            OSError: If one cannot be read.
        """
        for number in self._numbers():
            file = self._file(number)
            try:
                return _parsed(memoryview(file.read_bytes()))
            except _DamagedError as error:
                self._damaged.add(number)
                self.say(f"Passing over {file}, which is damaged: {error}.")
        return None

    def clear(self):
        """Removes the folder with all that is in it."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def _numbers(self) -> list[int]:
        """The numbers of the checkpoints, the newest first."""
        files = self.path.glob(f"*{_SUFFIX}")
        numbers = [int(file.stem) for file in files if file.stem.isdigit()]
        return sorted(numbers, reverse=True)

    def _file(self, number: int) -> pathlib.Path:
        return self.path / f"{number:08d}{_SUFFIX}"


def encode(content) -> bytes:
    """A checkpoint's content as the bytes of a file.

    Example:
        >>> decode(encode({"step": 3, "weights": [np.ones(2)]}))
        {'step': 3, 'weights': [array([1., 1.])]}
    """
    arrays = _Arrays()
    content = _without_arrays(content, arrays, "content")
    return b"".join(_blocks(content, arrays))


def decode(content: bytes):
    """The content of which `encode` gave the bytes."""
    return _parsed(memoryview(content))


class _DamagedError(Exception):
    """A file is not what was written."""


class _Arrays:
    """The arrays of a checkpoint, equal ones once."""

    def __init__(self):
        self._numbers = {}
        self.arrays = []

    def add(self, array) -> int:
        """The number of an array."""
        content = _bytes_of(array)
        key = array.dtype.name, array.shape, _digest(content)
        number = self._numbers.setdefault(key, len(self.arrays))
        if number == len(self.arrays):
            self.arrays.append(content)
        return number

    def table(self) -> list:
        """Dtype, shape and digest of each."""
        return [
            [dtype, list(shape), digest.hex()]
            for dtype, shape, digest in self._numbers
        ]


def _without_arrays(value, arrays, where):
    """The value for JSON; adds its arrays to `arrays`, in place."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(
                    "A checkpoint holds dicts with texts as keys. Got: "
                    f"{key!r} in {where}."
                )
        return {
            key: _without_arrays(one, arrays, f"{where}[{key!r}]")
            for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [
            _without_arrays(one, arrays, f"{where}[{number}]")
            for number, one in enumerate(value)
        ]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {_ARRAY: arrays.add(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"A checkpoint cannot hold this. Got: {value!r} of type "
        f"{type(value).__name__} in {where}. Expected numbers, texts, None, "
        "NumPy arrays, and lists and dicts of them."
    )


def _with_arrays(value, arrays):
    if isinstance(value, list):
        return [_with_arrays(one, arrays) for one in value]
    if not isinstance(value, dict):
        return value
    if list(value) == [_ARRAY]:
        # A copy: who gets it may change it, and no two share one.
        return arrays[value[_ARRAY]].copy()
    return {key: _with_arrays(one, arrays) for key, one in value.items()}


def _bytes_of(array):
    # bfloat16 has no buffer of its own; bytes have.
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _digest(content) -> bytes:
    return hashlib.sha256(content).digest()


def _blocks(content, arrays):
    """The bytes of a file: the header with its checksum, then the arrays."""
    header = json.dumps({"content": content, "arrays": arrays.table()}).encode()
    yield _MAGIC + len(header).to_bytes(_LENGTH_BYTES, "little")
    yield _digest(header)
    yield header
    yield from arrays.arrays


def _write_durably(path, blocks):
    """Writes blocks, which are on disk when this returns."""
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path):
    """Makes sure that a rename outlives a power cut, where that can be."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _parsed(content):
    begin = len(_MAGIC) + _LENGTH_BYTES + _DIGEST_BYTES
    if len(content) < begin:
        raise _DamagedError("it is too short")
    if content[: len(_MAGIC)] != _MAGIC:
        raise _DamagedError("it does not begin as a checkpoint does")
    length = content[len(_MAGIC) : len(_MAGIC) + _LENGTH_BYTES]
    end = begin + int.from_bytes(length, "little")
    header = content[begin:end]
    if _digest(header) != content[begin - _DIGEST_BYTES : begin]:
        raise _DamagedError("the checksum of its header does not fit")
    header = json.loads(bytes(header))
    arrays = []
    for dtype, shape, digest in header["arrays"]:
        begin, dtype = end, np.dtype(dtype)
        end += dtype.itemsize * math.prod(shape)
        array = np.frombuffer(content[begin:end], np.uint8)
        if _digest(array).hex() != digest:
            raise _DamagedError("the checksum of an array does not fit")
        arrays.append(array.view(dtype).reshape(shape))
    return _with_arrays(header["content"], arrays)
