"""Folders of SavedModels, known by the fingerprint of their content.

A `.keras` file carries a module's SavedModel along. Its config names the
module by this fingerprint, so that it means the same module on every machine,
and nothing that was not vouched for on this one is ever loaded.
"""

import atexit
import hashlib
import os
import pathlib
import shutil
import tempfile
import threading

from tensorflow.core.protobuf import saved_model_pb2

from tl_keras import caches
from tl_keras.encoders import safe_operations

GRAPH_FILE = "saved_model.pb"
# Beside a module of the format of TensorFlow 1.
HUB_V1_FILE = "tfhub_module.pb"
# What TensorFlow reads of a folder. All else beside it, such as a README, is
# no part of the module.
_FILES = (GRAPH_FILE, "fingerprint.pb", "keras_metadata.pb", HUB_V1_FILE)
_SUBFOLDERS = ("variables", "assets", "assets.extra")
# Other forms of the graph, which TensorFlow would read in its place.
_OTHER_GRAPHS = ("saved_model.cpb", "saved_model.pbtxt")

_FOLDERS: dict[str, pathlib.Path] = {}
_LOCK = threading.Lock()


def register(folder) -> str:
    """Vouches for a SavedModel, and gives the fingerprint of its content.

    Args:
        folder: Path of a folder with a `saved_model.pb`. It has to stay where
            it is while the process uses the module.

    Returns:
        32 hexadecimal digits.

    Raises:
        FileNotFoundError: If the folder is no SavedModel.
        ValueError: If it holds its graph in two forms.
    """
    folder = pathlib.Path(folder)
    check(folder)
    found = fingerprint(folder)
    with _LOCK:
        _FOLDERS[found] = folder
    return found


def folder_of(module: str) -> pathlib.Path:
    """The folder of a module that was registered in this process.

    Args:
        module: A fingerprint from `register`.

    Raises:
        ValueError: If there is none.
    """
    folder = _FOLDERS.get(module)
    if folder is not None and not folder.is_dir():
        raise ValueError(
            f"The folder of a SavedModel is gone: {str(folder)!r}. Expected "
            "it to stay while its encoder is in use, since a copy of the "
            "encoder and a saved file are made from it. Put it back, or load "
            "the encoder again from where it is now."
        )
    if folder is None:
        raise ValueError(
            f"The SavedModel of a hub encoder is not at hand. Got: the module "
            f"{module!r}. Expected one that this process has loaded. Read the "
            "file by `tl_keras.load_model(path)`, which takes the module out "
            "of it, rather than by `keras.models.load_model`."
        )
    return folder


def check(folder: pathlib.Path):
    """Raises unless `folder` holds a SavedModel.

    Raises:
        FileNotFoundError: If it has no `saved_model.pb`.
        ValueError: If it has another form of the graph beside it.
    """
    if (folder / GRAPH_FILE).is_file():
        others = [n for n in _OTHER_GRAPHS if (folder / n).exists()]
        if others:
            raise ValueError(
                f"{str(folder)!r} holds its graph twice. Got: {others} beside "
                f"{GRAPH_FILE}. Expected {GRAPH_FILE} alone; remove what does "
                "not belong to it."
            )
        return
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(folder)!r}. Expected the folder of a "
            "SavedModel, a .tar.gz of one, or an https address of TF Hub or "
            "Kaggle."
        )
    content = sorted(path.name for path in folder.iterdir())[:10]
    raise FileNotFoundError(
        f"{str(folder)!r} is no SavedModel: it has no {GRAPH_FILE}. Got: "
        f"{content}. Expected a folder as `tf.saved_model.save` writes it."
    )


def fingerprint(folder: pathlib.Path) -> str:
    """A hash of the names and the content of a SavedModel's files."""
    hasher = hashlib.blake2b(digest_size=16)
    for path in sorted(files_of(folder)):
        name = path.relative_to(folder).as_posix().encode()
        hasher.update(len(name).to_bytes(4, "big") + name)
        with path.open("rb") as file:
            content = hashlib.file_digest(file, hashlib.blake2b)
        hasher.update(content.digest())
    return hasher.hexdigest()


def files_of(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of a SavedModel, without what else lies in its folder."""
    found = [folder / name for name in _FILES]
    for part in _SUBFOLDERS:
        # Caches of downloads have links to folders, which `rglob` passes by.
        for parent, _, names in os.walk(folder / part, followlinks=True):
            found += [pathlib.Path(parent, name) for name in names]
    return [path for path in found if path.is_file()]


def copy(folder: pathlib.Path, target: pathlib.Path):
    """Copies the files of a SavedModel into a folder, made where missing."""
    for path in files_of(folder):
        to = target / path.relative_to(folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)


def graph(folder: pathlib.Path) -> saved_model_pb2.SavedModel:
    """What `saved_model.pb` holds.

    Raises:
        ValueError: If the file is damaged.
    """
    content = saved_model_pb2.SavedModel()
    path = folder / GRAPH_FILE
    try:
        content.ParseFromString(path.read_bytes())
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} cannot be read: {error}. Expected the graph of a "
            "SavedModel; the file may be damaged or half downloaded."
        ) from error
    return content


def adopt_kept(module: str, *, trust: bool) -> bool:
    """Registers a module that an earlier `adopt` has kept, if there is one.

    Args:
        module: Its fingerprint.
        trust: As of `adopt`.

    Returns:
        Whether it is there, whole.
    """
    kept = caches.folder("modules") / module
    if not _is_whole(kept, module):
        return False
    _check_trusted(kept, trust)
    with _LOCK:
        _FOLDERS[module] = kept
    return True


def adopt(folder: pathlib.Path, expected: str, *, trust: bool):
    """Registers a module that came in a file, if it is what it claims to be.

    It is copied into the cache, where later processes find it, or into a
    temporary folder where that cannot be written.

    Args:
        folder: Where the file was unpacked.
        expected: The fingerprint that the file tells.
        trust: Whether it may hold operations that are not known to be
            harmless.

    Raises:
        ValueError: If its content is another one, or it has such operations.
    """
    check(folder)
    if fingerprint(folder) != expected:
        raise ValueError(
            "A SavedModel inside of the file is not the one that the file "
            "names: it is damaged, or was changed. Expected the fingerprint "
            f"{expected}."
        )
    _check_trusted(folder, trust)
    kept = _kept(folder, expected)
    with _LOCK:
        _FOLDERS[expected] = kept


def _check_trusted(folder, trust):
    if not trust:
        safe_operations.check(folder, graph(folder))


def _is_whole(folder, expected) -> bool:
    return folder.is_dir() and fingerprint(folder) == expected


def _kept(folder, expected) -> pathlib.Path:
    kept = caches.folder("modules") / expected
    if _is_whole(kept, expected):
        return kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = pathlib.Path(tempfile.mkdtemp(dir=kept.parent))
    except OSError:
        return _temporary(folder)
    try:
        copy(folder, beside)
        shutil.rmtree(kept, ignore_errors=True)  # It was damaged.
        beside.rename(kept)
    except OSError:
        # Another process was faster, or the disk is full.
        return kept if _is_whole(kept, expected) else _temporary(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return kept


def _temporary(folder) -> pathlib.Path:
    """A copy of a SavedModel that lasts as long as this process."""
    temporary = pathlib.Path(tempfile.mkdtemp(prefix="tl_keras-module-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    copy(folder, temporary)
    return temporary
