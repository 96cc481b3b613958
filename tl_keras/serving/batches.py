"""What goes to a server row by row, and what comes back, joined."""

import os
import pathlib

import numpy as np

# What TensorFlow Serving calls tensors of bytes that are no text.
_BYTES_SUFFIX = "_bytes"


def rows_of(inputs, name: str, spec):
    """Inputs as a signature takes them.

    Args:
        inputs: What the user gave: a list of bytes or str, or an array.
        name: Name of the signature's input.
        spec: Its `served.TensorSpec`.

    Returns:
        A list of bytes if the signature takes strings, else an array.

    Raises:
        TypeError: If the inputs are of another kind than the signature's.
        ValueError: If they have another shape.
    """
    if spec.dtype == "string":
        return _strings(inputs, name)
    return _numbers(inputs, name, spec)


class FileRows:
    """Files, each a row; read when a slice is taken."""

    def __init__(self, paths):
        if isinstance(paths, (str, bytes, os.PathLike)):
            raise TypeError(
                f"`paths` is one path. Got: {paths!r}. Expected a list of them."
            )
        self.paths = [pathlib.Path(path) for path in paths]
        missing = [str(path) for path in self.paths if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} of {len(self.paths)} files are not there. "
                f"Got: {missing[:5]}. Expected paths of files."
            )

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, part: slice) -> list[bytes]:
        return [path.read_bytes() for path in self.paths[part]]


def checked(outputs, num_rows: int):
    """The outputs, if each has a row for each input.

    Raises:
        ValueError: If one has not.
    """
    shapes = {name: value.shape for name, value in outputs.items()}
    if any(shape[:1] != (num_rows,) for shape in shapes.values()):
        raise ValueError(
            "An output does not have the batch first. Got outputs of shape "
            f"{shapes} for {num_rows} inputs. Expected {num_rows} rows in "
            "each; a signature of another kind is not for `predict`."
        )
    return outputs


def joined(parts, signature) -> dict[str, np.ndarray]:
    """The outputs of all batches as one, strings as text where they are.

    Args:
        parts: Outputs of each batch: name to array.
        signature: The `served.Signature` that gave them.

    Returns:
        Output name to array. Of no batches, arrays without rows.
    """
    if not parts:
        parts = [
            {
                name: np.empty(_empty_shape(spec), spec.numpy_dtype)
                for name, spec in signature.outputs.items()
            }
        ]
    return {
        name: _as_text(name, np.concatenate([part[name] for part in parts]))
        for name in parts[0]
    }


def _strings(inputs, name) -> list[bytes]:
    if isinstance(inputs, (str, bytes)) or not hasattr(inputs, "__len__"):
        raise TypeError(
            f"`inputs` is no list. Got: {_shown(inputs)}. Expected a list of "
            f"{_wanted(name)}, one for each row."
        )
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "S":
        if name.endswith(_BYTES_SUFFIX):
            raise TypeError(
                f"`inputs` is a NumPy array of dtype {inputs.dtype}, which "
                "drops zero bytes at the end of each entry. Expected a list "
                "of bytes, or an array of dtype object."
            )
    return [_string(value, index, name) for index, value in enumerate(inputs)]


def _string(value, index, name) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str) and not name.endswith(_BYTES_SUFFIX):
        return value.encode("utf-8")
    raise TypeError(
        f"`inputs[{index}]` does not fit the signature's input {name!r}. Got: "
        f"{_shown(value)}. Expected {_wanted(name)}; for files use "
        "`predict_files`."
    )


def _wanted(name) -> str:
    return "bytes" if name.endswith(_BYTES_SUFFIX) else "str or bytes"


def _shown(value) -> str:
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{text} of type {type(value).__name__}"


def _numbers(inputs, name, spec) -> np.ndarray:
    try:
        given = np.asarray(inputs)
    except ValueError as error:
        raise ValueError(
            f"`inputs` do not make one array ({error}). Expected rows of one "
            "shape; call `predict` once for each shape."
        ) from error
    if not given.size and not len(given):
        return np.empty((0,), spec.numpy_dtype)
    array = _cast(given, name, spec)
    if spec.shape is not None and not _fits(array.shape, spec.shape):
        raise ValueError(
            f"`inputs` do not fit the signature's input {name!r}. Got shape: "
            f"{array.shape}. Expected: {spec.shape}, where None is any size."
        )
    return array


def _cast(given, name, spec) -> np.ndarray:
    """An array of the signature's dtype, if no value suffers by it."""
    wanted = np.dtype(spec.numpy_dtype)
    numeric = given.dtype.kind in "biuf" or given.dtype == wanted
    if numeric and np.can_cast(given.dtype, wanted, "safe"):
        return given.astype(wanted, copy=False)
    if given.dtype.kind in "iu" and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if np.all((limits.min <= given) & (given <= limits.max)):
            return given.astype(wanted)
    elif numeric and np.can_cast(given.dtype, wanted, "same_kind"):
        return given.astype(wanted)
    raise TypeError(
        f"`inputs` do not fit the signature's input {name!r}. Got dtype: "
        f"{given.dtype}. Expected: {spec.dtype}, or what becomes it without "
        f"loss; convert them, e.g. by `inputs.astype({spec.dtype!r})`."
    )


def _fits(shape, wanted) -> bool:
    return len(shape) == len(wanted) and all(
        size in (None, given) for given, size in zip(shape, wanted, strict=True)
    )


def _empty_shape(spec):
    return (0, *(size or 0 for size in (spec.shape or ())[1:]))


def _as_text(name, array) -> np.ndarray:
    """An array of str, if it holds strings that are text."""
    if array.dtype != object or name.endswith(_BYTES_SUFFIX):
        return array
    entries = list(array.flat)
    # NumPy would drop zeros at the end.
    if any(b"\0" in entry for entry in entries):
        return array
    try:
        texts = [entry.decode("utf-8") for entry in entries]
    except UnicodeDecodeError:
        return array
    return np.array(texts, str).reshape(array.shape)
