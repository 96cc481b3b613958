"""A classifier as a versioned SavedModel for TensorFlow Serving."""

import os
import pathlib
import shutil
import tempfile
import time

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tl_keras import checks
from tl_keras import graph
from tl_keras.serving import bundle
from tl_keras.serving import description
from tl_keras.serving import golden
from tl_keras.serving import golden_requests
from tl_keras.serving import inputs as served_inputs
from tl_keras.serving import labels
from tl_keras.serving import self_check
from tl_keras.serving import signatures
from tl_keras.serving import warmup

# TensorFlow Serving reads versions as int64.
_LAST_VERSION = 2**63 - 1
_LABELS = "labels.txt"
_BESIDE = ".export-"
_DAY_SECONDS = 86_400
_CLASSIFY_METHOD = "tensorflow/serving/classify"


def export(
    model,
    directory,
    *,
    class_names=None,
    keep_aspect_ratio: bool = False,
    classify: bool = False,
    provenance=None,
    check: bool = True,
) -> pathlib.Path:
    """Writes a new version of a model to serve: raw bytes in, names out.

    The version is the folder `directory/N`, where N is one more than the
    highest version there, 1 in a new directory. It appears only when it is
    complete and was checked, so a server may watch the directory, which is its
    `model_base_path`; the model's name is that of the directory. Other names
    in the directory are left alone; TensorFlow Serving ignores them too.

    The signatures:

    - `serving_default` takes a string for each example `[batch]`: with
      `image_bytes`, images encoded as JPEG, PNG, GIF (the first frame), BMP
      or WebP, of any size; with `texts`, texts in UTF-8; with `wav_bytes`, WAV
      files of 16 bits, of any length, sample rate and number of channels
      where training had clips of one length. They are decoded, resized and
      resampled by the code that did so in training. A string that cannot be
      decoded is an INVALID_ARGUMENT for the whole batch.
    - `pixels` takes uint8 `images` `[batch, height, width, channels]` of any
      height and width; `waveforms` takes float32 `waveforms` `[batch,
      samples]` (`[batch, samples, channels]` for several channels) in -1..1,
      at the sample rate of training.
    - `embed` takes what `serving_default` takes, and gives `features`, float32
      `[batch, ...]`: those that the head gets.
    - `classify`, if asked for, answers TensorFlow Serving's Classify requests
      of `tf.Example`s with `image/encoded`, `text` or `audio/encoded`.

    But for `embed`, the answers are `probabilities`, float32 `[batch,
    num_classes]`; `class_names`, string `[batch, num_classes]` (in every row,
    since the row format of TensorFlow Serving's REST interface wants the batch
    first in each output); and `top_classes`, string `[batch, k]`, the names of
    the up to five most probable classes, best first.

    In the version's `assets.extra` are `labels.txt`, the names, one a line;
    `golden.json`, a made-up request for each signature with the trained
    model's answer; records for the server's warmup; `tl_keras.json`, what the
    model is and what it came from; and `check.json`, who loaded it when it was
    checked. Beside the versions is `SERVING.md`, and
    unless they are there, `models.config` and `batching_parameters.txt`.

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
        classify: Whether to answer Classify requests too.
        provenance: Dict of what else `tl_keras.json` shall say, such as
            scores; ready for JSON.
        check: Whether to load the version in fresh processes, send it the
            golden requests and compare the answers, see
            `tl_keras.serving.check`. That takes some seconds, and half a
            minute the first time.

    Returns:
        The path of the new version.

    Raises:
        TypeError: If `model` is no `keras.Model` with known shapes,
            `class_names` is one string, or `provenance` is not for JSON.
        ValueError: If the model is not as described, if `class_names` has
            another length than the outputs, or if `directory` is no local
            folder or has no version free. A `CheckError` if the version
            does not answer as the model does, or needs operations that a
            stock TensorFlow Serving lacks.
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
        ...     model, directory, class_names=["cat", "dog"], check=False
        ... )
        >>> path.name
        '1'
        >>> (path / "assets.extra" / "labels.txt").read_text().split()
        ['cat', 'dog']

    Reference:
        https://www.tensorflow.org/tfx/guide/serving
    """
    signatures.check(model)
    names = labels.class_names(class_names, model)
    about = description.as_json(model, "saved_model", provenance)
    directory = _checked_directory(directory)
    inputs = served_inputs.of(model, keep_aspect_ratio)
    # Written beside the versions and renamed in one step: an error on the way
    # leaves no half version.
    beside = _folder_beside(directory)
    try:
        _save(model, names, inputs, classify, beside)
        requests = golden_requests.make(model, names, inputs, classify=classify)
        extra = beside / "assets.extra"
        extra.mkdir()
        shutil.copyfile(beside / "assets" / _LABELS, extra / _LABELS)
        golden.write(requests, extra, _tolerance(model))
        warmup.write(requests, directory.name, extra)
        bundle.write_card(about, names, requests, extra)
        if check:
            self_check.write(self_check.check(beside), extra)
        bundle.write_how_to_serve(directory.name, requests[0], names, directory)
        beside.chmod(0o755)  # `mkdtemp` shuts out the server's user.
        return _rename_to_next_version(beside, directory)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _save(model, names, inputs, classify, folder):
    """Writes the SavedModel itself."""
    with tempfile.TemporaryDirectory() as scratch:
        lines = pathlib.Path(scratch) / _LABELS
        lines.write_text(labels.as_lines(names), encoding="utf-8")
        served = _Served(model, lines, inputs, classify)
        tf.saved_model.save(served, folder, signatures=served.functions)
    if classify:
        _set_method(folder, signatures.CLASSIFY, _CLASSIFY_METHOD)


class _Served(tf.Module):
    """What is stored: variables, once, tables, and the functions that serve.

    The Keras model itself is no attribute. Keras tracks a variable along
    several roads, and each would be written to the file.
    """

    def __init__(self, model, lines, inputs, classify):
        super().__init__()
        self.model_variables = [v.value for v in model.variables]
        self.resources = signatures.resources(model)
        numbered = tf.lookup.TextFileInitializer(
            str(lines),
            key_dtype=tf.int64,
            key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
            value_dtype=tf.string,
            value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
        )
        self.names = tf.lookup.StaticHashTable(numbered, default_value="")
        self.functions = signatures.functions(
            model, self.names, inputs, classify=classify
        )


def _set_method(folder, signature, method):
    """Names the kind of request that a signature answers, in the file."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta_graph in saved.meta_graphs:
        meta_graph.signature_def[signature].method_name = method
    path.write_bytes(saved.SerializeToString(deterministic=True))
    # It is of the file as it was, and servers do without it.
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def _tolerance(model) -> float:
    """How far a served answer may be from the model's."""
    dtypes = {
        getattr(layer, "compute_dtype", None)
        for layer in graph.layers_within(model)
    }
    if dtypes & {"bfloat16", "float16"}:
        return golden.MIXED_TOLERANCE
    return golden.RELATIVE_TOLERANCE


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
        _clear_leftovers(directory)
        return pathlib.Path(tempfile.mkdtemp(dir=directory, prefix=_BESIDE))
    except OSError as error:
        raise type(error)(
            error.errno,
            f"`directory` cannot be written ({error.strerror}). Choose "
            "another folder, or change its permissions. Got",
            str(directory),
        ) from error


def _clear_leftovers(directory: pathlib.Path):
    """Removes what exports left that were killed more than a day ago."""
    for leftover in directory.glob(f"{_BESIDE}*"):
        try:
            if time.time() - leftover.stat().st_mtime < _DAY_SECONDS:
                continue  # Another export may be at work.
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        except FileNotFoundError:
            continue  # Another export has removed it.


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
