"""A classifier as a versioned SavedModel for TensorFlow Serving."""

import os
import pathlib
import shutil
import tempfile

import tensorflow as tf

from tl_keras import checks
from tl_keras.serving import labels
from tl_keras.serving import signatures

# TensorFlow Serving reads versions as int64.
_LAST_VERSION = 2**63 - 1


def export(
    model, directory, *, class_names=None, keep_aspect_ratio: bool = False
) -> pathlib.Path:
    """Writes a new version of a model to serve: raw input in, names out.

    The version is the folder `directory/N`, where N is one more than the
    highest version there, 1 in a new directory. It appears only when it is
    complete, so a server may watch the directory, which is its
    `model_base_path`. Other names in the directory are left alone; TensorFlow
    Serving ignores them too.

    The signature `serving_default` takes what the model is for: `images`,
    uint8 `[batch, height, width, channels]` of any height and width, resized
    inside as they were in training; `texts`, string `[batch]`; or
    `waveforms`, float32 `[batch, samples]` in -1..1 (`[batch, samples,
    channels]` for several channels) at the sample rate of the training data,
    of any length, cut or padded as there. It returns `probabilities`, float32
    `[batch, num_classes]`, and `class_names`, string `[batch, num_classes]`:
    the names stand in every row, since the row format of TensorFlow Serving's
    REST interface wants the batch first in each output. The names are also
    beside the graph, one a line, in `assets.extra/labels.txt`.

    Whoever loads the SavedModel needs TensorFlow, and neither Keras nor
    tl_keras. Each variable is stored once (`model.export` stores it twice).

    Args:
        model: A built Functional or Sequential `keras.Model` with one input,
            images `[batch, height, width, channels]` with pixels 0..255 or
            strings `[batch]`, or a model from `tl_keras.build`; and one
            output, logits or probabilities `[batch, num_classes]`.
        directory: Local folder of the model's versions; made where missing.
        class_names: Names of the classes in the order of the outputs. By
            default those that `fit` left in the model, else "0", "1", ...
        keep_aspect_ratio: How images were resized in training.

    Returns:
        The path of the new version.

    Raises:
        TypeError: If `model` is no `keras.Model` with known shapes, or
            `class_names` is one string.
        ValueError: If the model is not as described, if `class_names` has
            another length than the outputs, or if `directory` is no local
            folder or has no version free.
        OSError: If `directory` cannot be written; a `NotADirectoryError` if
            it is a file.
        tf.errors.OpError: If the disk is full, among others. Whatever goes
            wrong, no version is left behind.

    Example:
        >>> import keras, os, tempfile, tl_keras
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((8, 8, 3)),
        ...         keras.layers.Flatten(),
        ...         keras.layers.Dense(2),
        ...     ]
        ... )
        >>> directory = os.path.join(tempfile.mkdtemp(), "pets")
        >>> path = tl_keras.serving.export(
        ...     model, directory, class_names=["cat", "dog"]
        ... )
        >>> path.name
        '1'
        >>> (path / "assets.extra" / "labels.txt").read_text().split()
        ['cat', 'dog']
    """
    signatures.check(model)
    names = labels.class_names(class_names, model)
    directory = _checked_directory(directory)
    served = _Served(model, names, keep_aspect_ratio)
    # Written beside the versions and renamed in one step: an error on the way
    # leaves no half version.
    beside = _folder_beside(directory)
    try:
        tf.saved_model.save(served, beside, signatures=served.serve)
        extra = beside / "assets.extra"
        extra.mkdir()
        lines = labels.as_lines(names)
        (extra / "labels.txt").write_text(lines, encoding="utf-8")
        beside.chmod(0o755)  # `mkdtemp` shuts out the server's user.
        return _rename_to_next_version(beside, directory)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


class _Served(tf.Module):
    """What is stored: variables, once, tables, and the function that serves.

    The Keras model itself is no attribute. Keras tracks a variable along
    several roads, and each would be written to the file.
    """

    def __init__(self, model, class_names, keep_aspect_ratio):
        super().__init__()
        self.model_variables = [v.value for v in model.variables]
        self.resources = signatures.resources(model)
        self.serve = signatures.serving_function(
            model, class_names, keep_aspect_ratio
        )


def _checked_directory(directory) -> pathlib.Path:
    checks.instance(directory, (str, os.PathLike), name="directory")
    if "://" in os.fspath(directory):
        raise ValueError(
            f"`directory` is not local. Got: {directory!r}. Expected a folder "
            "on this machine; export there, then copy the version as a whole."
        )
    directory = pathlib.Path(directory).expanduser()
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(
            f"`directory` is a file. Got: {str(directory)!r}. Expected a "
            "folder for the model's versions, or a new name."
        )
    _next_version(directory)
    return directory


def _folder_beside(directory: pathlib.Path) -> pathlib.Path:
    """A new hidden folder in `directory`, on the versions' file system."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return pathlib.Path(tempfile.mkdtemp(dir=directory, prefix=".export-"))
    except OSError as error:
        raise type(error)(
            error.errno,
            f"`directory` cannot be written ({error.strerror}). Choose "
            "another folder, or change its permissions. Got",
            str(directory),
        ) from error


def _rename_to_next_version(beside, directory) -> pathlib.Path:
    while True:
        version = directory / str(_next_version(directory))
        try:
            beside.rename(version)
            return version
        except OSError:
            if not version.exists():
                raise
            # Another export took the number a moment ago: the next one, then.


def _next_version(directory: pathlib.Path) -> int:
    """One more than the highest version; "007" is 7, as for the server."""
    entries = directory.iterdir() if directory.is_dir() else ()
    versions = [
        int(entry.name)
        for entry in entries
        if entry.name.isascii() and entry.name.isdecimal()
    ]
    version = max(versions, default=0) + 1
    if version > _LAST_VERSION:
        raise ValueError(
            f"`directory` has no version free. Got: {version - 1} as the "
            f"highest in {str(directory)!r}. Expected at most "
            f"{_LAST_VERSION - 1}; rename that entry."
        )
    return version
