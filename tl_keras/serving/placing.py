"""A file that is in place only once it is whole."""

import contextlib
import os
import pathlib
import tempfile

from tl_keras import checks


def checked(path, suffix: str) -> pathlib.Path:
    """The path of a file to write, if it has the ending that it should.

    Args:
        path: What the user gave.
        suffix: The ending, e.g. ".onnx".

    Raises:
        TypeError: If it is no path.
        ValueError: If it has another ending.

    Example:
        >>> checked("models/pets.onnx", ".onnx").name
        'pets.onnx'
    """
    checks.instance(path, (str, os.PathLike), name="path")
    path = pathlib.Path(path).expanduser()
    if path.suffix != suffix:
        raise ValueError(
            f"`path` must end in {suffix!r}. Got: {str(path)!r}. Rename it."
        )
    return path


def existing(path) -> pathlib.Path:
    """The path of a file to read, if there is one.

    Args:
        path: What the user gave.

    Raises:
        TypeError: If it is no path.
        FileNotFoundError: If there is no such file.
    """
    checks.instance(path, (str, os.PathLike), name="path")
    path = pathlib.Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {str(path)!r}. Expected one that was exported."
        )
    return path


@contextlib.contextmanager
def folder_beside(folder):
    """A new hidden folder inside of `folder`, removed when this is closed.

    What was written there is moved to `folder` by `os.replace`: the two are on
    one file system, so that a reader finds an old file or a new one, and never
    half of one.

    Args:
        folder: A path; made where missing.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as beside:
        yield pathlib.Path(beside)


@contextlib.contextmanager
def replacing(path):
    """A path to write to, which becomes `path` unless there is an error.

    Args:
        path: `pathlib.Path` of the file, which may be there already.

    Example:
        >>> import pathlib
        >>> with replacing(pathlib.Path("names.txt")) as beside:
        ...     _ = beside.write_text("cat")
        >>> pathlib.Path("names.txt").read_text()
        'cat'
    """
    with folder_beside(path.parent) as folder:
        yield folder / path.name
        os.replace(folder / path.name, path)
