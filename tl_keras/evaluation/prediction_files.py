"""Predictions of a test part, kept in a file to be compared later."""

import dataclasses
import pathlib
import zipfile

import numpy as np

from tl_keras import whole_files


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """What a model said of each example of a test part.

    Attributes:
        ids: Array of `str` `[examples]`: what identifies each.
        labels: int64 `[examples]`.
        probabilities: float32 `[examples, num_classes]`.
        digests: uint8 `[examples, 16]`: hashes of the inputs' content.
        class_names: Names by label.
    """

    ids: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    digests: np.ndarray
    class_names: tuple[str, ...]


def write(predictions: Predictions, path) -> pathlib.Path:
    """Writes predictions to a compressed `.npz` file that NumPy reads.

    A file of that name is replaced once the new one is whole.

    Args:
        predictions: `Predictions`.
        path: File name. Missing folders are made.

    Returns:
        The path.
    """
    with whole_files.replacing(path) as beside, open(beside, "wb") as file:
        np.savez_compressed(
            file,
            # Texts of NumPy, which need no pickle to be read.
            ids=np.asarray(predictions.ids, str),
            labels=predictions.labels,
            probabilities=np.asarray(predictions.probabilities, np.float32),
            digests=predictions.digests,
            class_names=np.asarray(predictions.class_names, str),
        )
    return pathlib.Path(path)


def read(path) -> Predictions:
    """Reads what `write` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There are no predictions at {str(path)!r}. A run writes them "
            "when it ends, if its data has a test part."
        )
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        return Predictions(
            **{**found, "class_names": tuple(found["class_names"].tolist())}
        )
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as e:
        raise ValueError(
            f"{str(path)!r} holds no predictions of a run ({e}). Expected a "
            "file that tl_keras wrote; run again to replace it."
        ) from e
