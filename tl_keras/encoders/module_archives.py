"""The SavedModels inside of a `.keras` file, taken out before Keras reads."""

import json
import pathlib
import re
import shutil
import tempfile
import zipfile
import zlib

import keras

from tl_keras.encoders import hub_encoder
from tl_keras.encoders import saved_models

_CONFIG = "config.json"
# Under these keys the name of a class is no value.
_NAMES_OF_CLASSES = ("registered_name", "class_name", "spec_name")
# Modules of Keras whose functions compute.
_MODULES = (
    "keras.activations",
    "keras.initializers",
    "keras.losses",
    "keras.metrics",
    "keras.ops",
    "keras.random",
    "keras.regularizers",
)
_WITHIN_MODULES = tuple(f"{module}." for module in _MODULES)


def adopt(path, *, trust: bool):
    """Registers the modules that a `.keras` file carries.

    Args:
        path: The file, a zip archive.
        trust: Whether a module may hold operations that are not known to be
            harmless.

    Raises:
        ValueError: If the file or a module is damaged, if a module has such
            operations, if the config takes a class for a function (by which a
            layer could load any module), or a name in the archive leads out of
            its folder.
        OSError: If it cannot be unpacked, e.g. because the disk is full.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if not trust and _CONFIG in archive.namelist():
                check_config(json.loads(archive.read(_CONFIG)), path)
            for name in archive.namelist():
                if _names_a_module(name):
                    _adopt_one(archive, name, trust)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(
            f"{str(path)!r} is damaged: {error}. Expected a `.keras` file, "
            "whole; copy or save it again."
        ) from error


def check_config(config, path):
    """Refuses a model's config that makes more of Keras than a model.

    Keras looks up the functions of Lambda layers by their names, among all
    that it has and all that is registered, and calls what it finds with what
    the file says: a class that loads modules, or a function that writes files.

    Args:
        config: What is within the JSON of a saved model.
        path: Of the file.

    Raises:
        ValueError: If it names a class where a function belongs, or a function
            of Keras that is not for models.
    """
    for key, value in _entries(config):
        strange = None
        if isinstance(value, str) and key not in _NAMES_OF_CLASSES:
            known = keras.saving.get_custom_objects().get(value)
            strange = value if isinstance(known, type) else None
        elif isinstance(value, dict):
            strange = _strange_function(value)
        if strange is not None:
            raise ValueError(
                f"{str(path)!r} has a layer that calls {strange!r} as a "
                "function of a model, and could so load modules or write "
                "files. If you trust where the file comes from, pass "
                "`trust_modules=True` (--trust_modules)."
            )


def _entries(config, key=None):
    """A config and all within it, each with the key where it stands."""
    yield key, config
    if isinstance(config, dict):
        for name, value in config.items():
            yield from _entries(value, name)
    elif isinstance(config, list):
        for value in config:
            yield from _entries(value)


def _strange_function(entry) -> str | None:
    """The function that an entry names, if no model has a use for it."""
    name = entry.get("class_name")
    if name == "function":
        name = entry.get("config")
        # By custom the names of classes, and of nothing else, begin so.
        if isinstance(name, str) and re.split("[>.:]", name)[-1][:1].isupper():
            return name
    if not isinstance(name, str) or not name[:1].islower():
        return None
    module = str(entry.get("module") or "")
    of_models = module in _MODULES or module.startswith(_WITHIN_MODULES)
    is_keras = module.split(".")[0] == "keras"
    return f"{module}.{name}" if is_keras and not of_models else None


def _names_a_module(name: str) -> bool:
    path = pathlib.PurePosixPath(name)
    # A file of the module's own may be called so too.
    is_within = hub_encoder.ASSET_FOLDER in path.parts
    return path.name == hub_encoder.ASSET_NAME and not is_within


def _adopt_one(archive, name, trust):
    entry = json.loads(archive.read(name))
    module = entry.get("module") if isinstance(entry, dict) else None
    if not re.fullmatch("[0-9a-f]{32}", str(module)):
        raise ValueError(
            f"{archive.filename!r} is damaged: what names its module is no "
            f"fingerprint. Got: {entry}."
        )
    if saved_models.adopt_kept(module, trust=trust):
        return
    beside = str(pathlib.PurePosixPath(name).parent)
    prefix = f"{beside}/{hub_encoder.ASSET_FOLDER}/"
    with tempfile.TemporaryDirectory(prefix="tl_keras-") as folder:
        target = pathlib.Path(folder).resolve()
        for member in archive.infolist():
            if not member.filename.startswith(prefix) or member.is_dir():
                continue
            file = (target / member.filename.removeprefix(prefix)).resolve()
            if not file.is_relative_to(target):
                raise ValueError(
                    f"{archive.filename!r} is not unpacked: it holds a path "
                    f"that leads out of it, {member.filename!r}. Do not use "
                    "this file."
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, file.open("wb") as to:
                shutil.copyfileobj(source, to)
        try:
            saved_models.adopt(target, module, trust=trust)
        except FileNotFoundError as error:
            raise ValueError(
                f"{archive.filename!r} is damaged: it names a module that it "
                f"does not carry. {error}"
            ) from error
