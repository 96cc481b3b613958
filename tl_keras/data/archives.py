"""Images or texts, and labels, from one `.npz` file."""

import pathlib

import numpy as np

from tl_keras import checks
from tl_keras.data import arrays
from tl_keras.data import examples

# The names that a split's arrays may have, after `x_` and `y_`.
_SUFFIXES = {
    "train": ("train",),
    "validation": ("validation", "val"),
    "test": ("test",),
}


def read(path: str) -> examples.Source:
    """Reads `x_train`, `y_train` and what else there is from an archive.

    Args:
        path: Path of an `.npz` file as `np.savez` writes it, with `x_train`,
            `y_train`, and optionally `x_validation`, `y_validation` (or
            `x_val`, `y_val`), `x_test`, `y_test`, `class_names`. The arrays
            are as `from_arrays` takes them without `sample_rate`. A test part
            without `y_test` is left out with a warning.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such archive, an array is missing or has an
            unknown name, or an array is wrong. The message names the file.
    """
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"No such file: {str(file)!r}. Expected `npz:PATH`, the path of "
            "an .npz archive."
        )
    try:
        content = _content(file)
    except Exception as error:
        raise ValueError(
            f"{file} cannot be read as an .npz archive: {error}. Expected "
            "what `np.savez` writes, of numbers and strings."
        ) from error
    class_names = content.pop("class_names", None)
    parts = {split: _part(content, split, file) for split in _SUFFIXES}
    if content:
        raise ValueError(
            f"{file} holds unknown arrays. Got: {sorted(content)}. Expected: "
            f"{', '.join(_known())}."
            + checks.did_you_mean(min(content), _known())
        )
    if parts["train"] is None:
        raise ValueError(
            f"{file} has no training part. Expected the arrays `x_train` and "
            "`y_train`."
        )
    try:
        return arrays.to_source(f"npz:{path}", parts, class_names)
    except ValueError as error:
        raise ValueError(f"In {file}: {error}") from error


def _content(file):
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _part(content, split, file):
    """Takes a split's arrays out of the content, in place."""
    found = {
        name: content.pop(name)
        for suffix in _SUFFIXES[split]
        for name in (f"x_{suffix}", f"y_{suffix}")
        if name in content
    }
    if not found:
        return None
    inputs = [name for name in found if name.startswith("x_")]
    labels = [name for name in found if name.startswith("y_")]
    lacks_labels = not labels and split != "test"
    if len(inputs) != 1 or len(labels) > 1 or lacks_labels:
        raise ValueError(
            f"{file} has no pair of arrays for the {split} part. Got: "
            f"{sorted(found)}. Expected one `x_` and one `y_` array."
        )
    return found[inputs[0]], found[labels[0]] if labels else None


def _known():
    return [
        *(
            f"{axis}_{s}"
            for ss in _SUFFIXES.values()
            for s in ss
            for axis in "xy"
        ),
        "class_names",
    ]
