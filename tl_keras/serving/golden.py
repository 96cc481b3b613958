"""Requests whose answers are known, kept beside a served model."""

import base64
import dataclasses
import json
import pathlib

import numpy as np

FILE = "golden.json"
RELATIVE_TOLERANCE = 1e-4
# With a bfloat16's eight bits, or a float16's eleven.
MIXED_TOLERANCE = 2e-2


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """What is asked, and what is answered.

    Attributes:
        signature: Name of the signature.
        inputs: Name to array; strings are bytes in an object array.
        outputs: Name to array, likewise.
    """

    signature: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


def write(requests, folder: pathlib.Path, tolerance: float):
    """Writes requests into a folder, the version's `assets.extra`.

    Args:
        requests: `Request`s.
        folder: The folder.
        tolerance: The largest `difference` with which answers agree.
    """
    entries = [
        {
            "signature": request.signature,
            "inputs": _all(to_json, request.inputs),
            "outputs": _all(to_json, request.outputs),
        }
        for request in requests
    ]
    content = {"relative_tolerance": tolerance, "requests": entries}
    text = json.dumps(content, indent=1)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: pathlib.Path) -> tuple[list[Request], float]:
    """The requests that `write` wrote, and the tolerance.

    Raises:
        ValueError: If the folder has none.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        requests = [
            Request(
                entry["signature"],
                _all(from_json, entry["inputs"]),
                _all(from_json, entry["outputs"]),
            )
            for entry in content["requests"]
        ]
        return requests, float(content["relative_tolerance"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"There are no requests to check by in {str(path)!r}: {error!r}. "
            "Expected a version that `tl_keras.serving.export` wrote."
        ) from error


def difference(expected, answered) -> float:
    """How far two arrays of one output are apart.

    Args:
        expected: The known answer.
        answered: What was answered.

    Returns:
        The largest difference of two numbers, as a share of the largest
        expected one in its row; infinite where shapes or strings differ, or a
        number is none.

    Example:
        >>> difference(np.array([[0.5, 0.25]]), np.array([[0.5, 0.375]]))
        0.25
    """
    expected, answered = np.asarray(expected), np.asarray(answered)
    if expected.shape != answered.shape:
        return float("inf")
    if expected.dtype.kind not in "fiu":
        return 0.0 if np.array_equal(expected, answered) else float("inf")
    away = np.abs(answered.astype("float64") - expected.astype("float64"))
    size = np.abs(expected).max(axis=-1, keepdims=True, initial=0.0)
    # In a row of zeros, any other number is as far away as can be.
    with np.errstate(divide="ignore"):
        away[away > 0] /= np.broadcast_to(size, away.shape)[away > 0]
    largest = float(away.max(initial=0.0))
    return largest if np.isfinite(largest) else float("inf")


def to_json(array) -> dict:
    """An array as JSON: strings one by one, numbers as bytes in a row.

    Example:
        >>> to_json(np.array([1], "uint8"))
        {'dtype': 'uint8', 'shape': [1], 'base64': 'AQ=='}
    """
    array = np.asarray(array)
    if array.dtype.kind in "OSU":
        values = [_in_base64(_as_bytes(v)) for v in array.reshape(-1)]
        return {
            "dtype": "string",
            "shape": list(array.shape),
            "base64": values,
        }
    little = array.astype(array.dtype.newbyteorder("<"))
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "base64": _in_base64(little.tobytes()),
    }


def from_json(entry: dict) -> np.ndarray:
    """The array that `to_json` wrote.

    Example:
        >>> from_json(to_json(np.array([["a"]]))).tolist()
        [[b'a']]
    """
    if entry["dtype"] == "string":
        values = [base64.b64decode(text) for text in entry["base64"]]
        return np.array(values, object).reshape(entry["shape"])
    dtype = np.dtype(entry["dtype"])
    raw = base64.b64decode(entry["base64"])
    array = np.frombuffer(raw, dtype.newbyteorder("<"))
    return array.reshape(entry["shape"]).astype(dtype)


def _all(function, arrays: dict) -> dict:
    return {name: function(array) for name, array in arrays.items()}


def _as_bytes(value) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
