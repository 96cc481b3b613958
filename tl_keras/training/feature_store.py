"""Rows of tensors on disk, found by the content they were computed from.

A store is a folder: one file of raw numbers for each tensor, one of digests,
and a journal that says up to where they are whole. Rows are only ever added.
What a killed process wrote after the last line of the journal is cut off when
the store is opened again.
"""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import shutil
import time
import zlib

import ml_dtypes  # noqa: F401  NumPy learns of bfloat16 from it.
import numpy as np

try:
    import fcntl
except ImportError:  # Windows: no other process is kept out.
    fcntl = None

_DIGEST_BYTES = 16
# What a kill may cost, in seconds of computing.
_SECONDS_BETWEEN_BLOCKS = 5.0
_CHUNK_BYTES = 2**24


@dataclasses.dataclass(frozen=True)
class RowSpec:
    """The form of one tensor's rows.

    Attributes:
        shape: Shape of a row.
        dtype: NumPy's name of the dtype in which it is stored, or
            `"bfloat16"`.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def num_bytes(self) -> int:
        """What a row takes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class FeatureStore:
    """The rows in one folder.

    Args:
        folder: The folder; it is made if it is not there.
        specs: One `RowSpec` for each tensor.
        description: What the rows are, for people.

    Raises:
        ValueError: If the folder holds a store of other rows.
        OSError: If the folder cannot be read or written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> store = FeatureStore(tempfile.mkdtemp(), [RowSpec((2,), "float32")])
        >>> with store.writing() as writer:
        ...     writer.add(np.zeros([3, 16], np.uint8), [np.ones([3, 2], "f4")])
        >>> len(store)
        3
    """

    def __init__(self, folder, specs, description: str = ""):
        self.folder = pathlib.Path(folder)
        self.specs = tuple(specs)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._reading = _locked(self.folder, exclusive=False)
        self._check_form(description)
        self._digests = self._read_digests(self._whole_rows())
        # Which stores were not used for long is read from this time.
        os.utime(self._form)

    def __len__(self):
        return len(self._digests)

    @property
    def num_bytes(self) -> int:
        """What all rows take on disk, their digests included."""
        return len(self) * self.bytes_per_row

    @property
    def bytes_per_row(self) -> int:
        """What a row takes on disk, its digest included."""
        return _DIGEST_BYTES + sum(spec.num_bytes for spec in self.specs)

    def close(self):
        """Says that this process does not use the store any more."""
        self._reading.close()

    def find(self, digests) -> np.ndarray:
        """The row of each digest, or -1.

        Args:
            digests: uint8 array `[examples, 16]`.

        Returns:
            int64 array `[examples]`.
        """
        if not len(self):
            return np.full(len(digests), -1, np.int64)
        # Eight of the bytes find a row; all of them make sure of it.
        known, wanted = _first_half(self._digests), _first_half(digests)
        order = np.argsort(known, kind="stable")
        places = np.searchsorted(known, wanted, sorter=order)
        rows = order[np.minimum(places, len(order) - 1)]
        is_it = (self._digests[rows] == digests).all(axis=1)
        return np.where(is_it, rows, -1)

    def tensors(self, *, in_memory: bool) -> tuple:
        """All rows of each tensor, `[rows, ...]`.

        Args:
            in_memory: Whether to read them into memory, as TensorFlow's
                tensors. If not, they are NumPy arrays mapped from the files:
                the system reads what is used, and drops it again where memory
                is short.
        """
        if not len(self):
            raise ValueError(f"{str(self.folder)!r} holds no rows.")
        # `tf.raw_ops.ImmutableConst` maps files too, and under oneDNN takes
        # as much memory beside them.
        mapped = [
            np.memmap(
                path, np.dtype(spec.dtype), "r", shape=(len(self), *spec.shape)
            )
            for path, spec in zip(self._files(), self.specs, strict=True)
        ]
        if not in_memory:
            return tuple(mapped)
        # To list and clear stores needs none of its seconds.
        import tensorflow as tf

        # On a GPU there is no room for them, and no use for all at once.
        with tf.device("CPU:0"):
            return tuple(tf.constant(array) for array in mapped)

    def read_again(self):
        """Takes in, in place, what another process has added."""
        self._digests = self._read_digests(self._whole_rows())

    @contextlib.contextmanager
    def writing(self):
        """A context in which rows can be added, by one process at a time.

        Yields:
            A `_Writer`. What it was given is on disk when the context ends,
            after an error too.

        Raises:
            OSError: If the disk is full or the folder cannot be written.
        """
        # A reader's lock and a writer's exclude each other, so that the
        # writer has a file of its own; readers only keep a store from being
        # removed.
        with _locked(self.folder, exclusive=True, name="writing"):
            # Another process may have added rows in the meantime.
            rows = self._whole_rows()
            self._digests = self._read_digests(rows)
            self._cut_off(rows)
            writer = _Writer(self, rows)
            try:
                yield writer
            finally:
                writer.close()
                self._digests = self._read_digests(writer.rows)

    @property
    def _form(self):
        return self.folder / "form.json"

    @property
    def _journal(self):
        return self.folder / "journal.txt"

    def _files(self):
        return [
            self.folder / f"tensor-{number}.bin"
            for number in range(len(self.specs))
        ]

    def _all_files(self):
        """With each file, how many bytes of it make a row."""
        sizes = [spec.num_bytes for spec in self.specs]
        return [
            (self.folder / "digests.bin", _DIGEST_BYTES),
            *zip(self._files(), sizes, strict=True),
        ]

    def _check_form(self, description):
        specs = [[list(spec.shape), spec.dtype] for spec in self.specs]
        try:
            form = json.loads(self._form.read_text())
        except (OSError, ValueError):
            # No process was through with making it: nothing is there to lose.
            form = {"tensors": specs, "description": description}
            beside = self._form.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(form))
            os.replace(beside, self._form)
        if not isinstance(form, dict) or form.get("tensors") != specs:
            raise ValueError(
                f"The store in {str(self.folder)!r} holds other rows. Got: "
                f"{form}. Expected: {specs}. Remove the folder."
            )

    def _whole_rows(self) -> int:
        """How many rows the journal vouches for and the files hold."""
        rows = 0
        for _, end, sums in self._blocks():
            for (path, size), expected in zip(
                self._all_files(), sums, strict=True
            ):
                if _checksum(path, rows * size, end * size) != expected:
                    return rows
            rows = end
        return rows

    def _blocks(self):
        """Ends of blocks with their checksums, as far as they make sense."""
        try:
            content = self._journal.read_bytes()
        except OSError:
            return
        # What is no text vouches for nothing, but what is before it does.
        lines = content.decode(errors="replace").split("\n")[:-1]
        last = 0
        for line in lines:
            try:
                end, *sums, own = (int(word, 16) for word in line.split())
            except ValueError:
                return
            text = line.rpartition(" ")[0]
            if own != zlib.crc32(text.encode()) or end <= last:
                return
            if len(sums) != len(self.specs) + 1:
                return
            yield line, end, sums
            last = end

    def _cut_off(self, rows):
        for path, size in self._all_files():
            with path.open("ab") as file:
                file.truncate(rows * size)
        kept = [f"{line}\n" for line, end, _ in self._blocks() if end <= rows]
        # Beside it and renamed: a kill or a full disk leaves the old one.
        beside = self._journal.with_suffix(".part")
        with beside.open("w") as file:
            file.write("".join(kept))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._journal)

    def _read_digests(self, rows):
        if not rows:
            return np.zeros([0, _DIGEST_BYTES], np.uint8)
        content = np.fromfile(
            self._all_files()[0][0], np.uint8, rows * _DIGEST_BYTES
        )
        return content.reshape(-1, _DIGEST_BYTES)


class _Writer:
    """Adds rows to a store, block by block."""

    def __init__(self, store, rows):
        self.rows = rows
        self._store = store
        self._files = [path.open("ab") for path, _ in store._all_files()]
        self._sums = [0] * len(self._files)
        self._pending = 0
        self._failed = False
        self._block_began = time.monotonic()

    def add(self, digests, tensors):
        """Adds rows at the end.

        Args:
            digests: uint8 array `[rows, 16]`.
            tensors: An array `[rows, ...]` for each tensor of the store.
        """
        if self._failed:
            raise OSError("An earlier write failed; nothing can follow it.")
        arrays = [digests]
        for tensor, spec in zip(tensors, self._store.specs, strict=True):
            array = np.ascontiguousarray(tensor)
            if array.dtype.name != spec.dtype or array.shape[1:] != spec.shape:
                raise ValueError(
                    f"Rows of another form. Got: {array.dtype.name} "
                    f"{array.shape[1:]}. Expected: {spec.dtype} {spec.shape}."
                )
            if len(array) != len(digests):
                raise ValueError(
                    f"Got {len(array)} rows for {len(digests)} digests."
                )
            arrays.append(array)
        # Until all are written: what is behind a half of them would be off.
        self._failed = True
        sums = list(self._sums)
        for number, (file, array) in enumerate(
            zip(self._files, arrays, strict=True)
        ):
            # bfloat16 has no buffer of its own; bytes have.
            content = memoryview(array.view(np.uint8).reshape(-1))
            file.write(content)
            sums[number] = zlib.crc32(content, sums[number])
        self._sums, self._failed = sums, False
        self._pending += len(digests)
        if time.monotonic() - self._block_began > _SECONDS_BETWEEN_BLOCKS:
            self._end_block()

    def close(self):
        """Vouches for what was added, and closes the files."""
        try:
            self._end_block()
        finally:
            for file in self._files:
                # What could not be written is not vouched for.
                with contextlib.suppress(OSError):
                    file.close()

    def _end_block(self):
        if self._pending:
            for file in self._files:
                file.flush()
                os.fsync(file.fileno())
            end = self.rows + self._pending
            text = " ".join(f"{number:x}" for number in (end, *self._sums))
            with self._store._journal.open("a") as journal:
                journal.write(f"{text} {zlib.crc32(text.encode()):x}\n")
                journal.flush()
                os.fsync(journal.fileno())
            self.rows = end
        self._pending = 0
        self._sums = [0] * len(self._files)
        self._block_began = time.monotonic()


@dataclasses.dataclass(frozen=True)
class StoreInfo:
    """A store that lies in a folder.

    Attributes:
        folder: Its folder.
        description: What its rows are.
        num_bytes: What it takes on disk.
        used: When it was last used, in seconds since 1970.
    """

    folder: pathlib.Path
    description: str
    num_bytes: int
    used: float


def stores_in(folder) -> list[StoreInfo]:
    """The stores in a folder, the one first that was not used for longest."""
    found = []
    for form in pathlib.Path(folder).glob("*/form.json"):
        # Another process may be removing it.
        with contextlib.suppress(OSError, ValueError):
            description = json.loads(form.read_text())["description"]
            sizes = [file.stat().st_size for file in form.parent.iterdir()]
            used = form.stat().st_mtime
            found.append(StoreInfo(form.parent, description, sum(sizes), used))
    return sorted(found, key=lambda store: store.used)


def remove(store: StoreInfo) -> bool:
    """Removes a store that no process uses; whether it could."""
    try:
        lock = _locked(store.folder, exclusive=True, wait=False)
    except FileNotFoundError:
        return True  # Another process was faster.
    if lock is None:
        return False
    with lock:
        shutil.rmtree(store.folder, ignore_errors=True)
    return not store.folder.exists()


def listing(folder, *, clear: bool = False) -> str:
    """A line for each store in a folder, and one for all.

    Args:
        folder: The folder with all stores; it need not exist.
        clear: Whether to remove them, but for those that a process uses.

    Example:
        >>> import tempfile
        >>> print(listing(tempfile.mkdtemp()).partition(":")[0])
        0 stores, 0.0 MB in all
    """
    stores, lines = stores_in(folder), []
    left = sum(store.num_bytes for store in stores)
    for store in stores:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(store.used))
        happened = ""
        if clear:
            removed = remove(store)
            happened = ", removed" if removed else ", in use and left"
            left -= removed * store.num_bytes
        lines.append(
            f"{store.num_bytes / 2**20:10,.1f} MB, last used {used}"
            f"{happened}: {store.description}"
        )
    number = len(stores_in(folder)) if clear else len(stores)
    whole = f"{number} stores, {left / 2**20:,.1f} MB in all"
    return "\n".join([*lines, f"{whole}: {folder}"])


def make_room(folder, limit: float, *, but_not):
    """Removes the stores that were not used for longest.

    Args:
        folder: The folder with all stores.
        limit: What they may take together, in bytes.
        but_not: The folder of one that stays. Those that a process uses stay
            too.
    """
    stores = stores_in(folder)
    total = sum(store.num_bytes for store in stores)
    for store in stores:
        if total <= limit:
            return
        if store.folder != but_not and remove(store):
            total -= store.num_bytes


def _locked(folder, *, exclusive: bool, wait: bool = True, name="using"):
    """A lock on a folder, held until the file is closed; None if it is taken.

    It goes with the process that holds it, however that ends.
    """
    file = (folder / f"{name}.lock").open("a")
    if fcntl is None:
        return file
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return file
    except OSError:
        if not wait:
            file.close()
            return None
    print(f"Another process has {folder}; waiting for it.", flush=True)
    fcntl.flock(file, kind)
    return file


def _checksum(path, start: int, end: int) -> int | None:
    """That of a part of a file, or None if the file is too short."""
    checksum, left = 0, end - start
    try:
        with path.open("rb") as file:
            file.seek(start)
            while left:
                content = file.read(min(left, _CHUNK_BYTES))
                if not content:
                    return None
                checksum = zlib.crc32(content, checksum)
                left -= len(content)
    except OSError:
        return None
    return checksum


def _first_half(digests):
    halves = np.ascontiguousarray(digests).view(np.uint64)
    return halves.reshape(-1, 2)[:, 0]
