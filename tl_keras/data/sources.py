"""`load`: data by the name of its source."""

import dataclasses
import importlib
import re

from tl_keras import checks

# Prefix or name to the module that reads it. Any other name is asked of TFDS.
_BY_NAME = {"digits": "tl_keras.data.digits"}
_BY_PREFIX = {
    "folder": "tl_keras.data.folders",
    "csv": "tl_keras.data.tables",
    "npz": "tl_keras.data.archives",
}
# What may follow a colon in a TFDS name.
_VERSION = r"[\d*]+\.[\d*]+\.[\d*]+"


def load(
    name: str,
    *,
    image_size: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    channels: int | None = None,
    validation_fraction: float = 0.1,
    train_examples: int | None = None,
    keep_aspect_ratio: bool = False,
    data_dir: str | None = None,
    cache: bool | str = "auto",
):
    """Loads labelled images by name, split and ready to be batched.

    The sources, by name:

    - `digits`: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, always
      there. A fifth of each class, always the same, is the test part.
    - `cifar10` and any other image classification data set of TensorFlow
      Datasets, in its own splits; downloaded unless it is in `data_dir`.
    - `folder:PATH`: class folders of image files, `PATH/CLASS/`, or below a
      level of `train`, `validation` (or `val`, `valid`) and `test`.
    - `csv:PATH`: a table with columns `path` (relative to the table's folder)
      and `label`, optionally `split`.
    - `npz:PATH`: arrays `x_train`, `y_train`, optionally `x_validation`,
      `y_validation` (or `x_val`, `y_val`), `x_test`, `y_test`, `class_names`.

    Where a source has no validation part, one is split off the training part,
    stratified by class and seeded. Nothing is ever split off a test part;
    where a source (other than `digits`) has none, `test` is None. A test part
    whose labels are all missing (-1, or empty in a table) is left out with a
    warning.

    Args:
        name: One of the names above.
        image_size: Height and width to resize to, in pixels. None keeps the
            images' own size, if all have the same and are square.
        batch_size: Examples per batch, at least 1.
        seed: Seed of the validation split, the order and the augmentation, in
            [0, 2**32 - 1].
        channels: 1 (grey), 3 (RGB, the default) or 4 (RGBA). Grey images are
            repeated, a transparency channel is dropped, see `images.decode`.
        validation_fraction: Share of the training part to split off where the
            source has no validation part, in [0, 1). 0 for none. At least one
            example per class is split off.
        train_examples: Use only so many training examples, chosen stratified
            and seeded from what is left after the validation split. None for
            all.
        keep_aspect_ratio: Whether images that are not square are cut to the
            square in their middle before resizing; else they are squeezed.
        data_dir: Where TensorFlow Datasets prepares its data, and looks for
            it; None for `~/tensorflow_datasets`. For its names only.
        cache: Whether to keep decoded images in memory: "auto" does it if
            they take at most a quarter of what is available. It changes the
            time, not the values. Files are checked when they are decoded: at
            once if they are kept, else when they are read. (The first time
            they are read once for the fingerprint, in either case.)

    Returns:
        A `Data`.

    Raises:
        ValueError: If the name, an argument, a label or a file is wrong.
        FileNotFoundError: If there is nothing at the path.
        DownloadError: If the data is not prepared here and its host cannot be
            reached.
        ImportError: If TensorFlow Datasets is needed and not installed.

    Example:
        >>> import tl_keras
        >>> data = tl_keras.data.load("digits", seed=0)
        >>> data.num_examples
        {'train': 1294, 'validation': 144, 'test': 359}
    """
    checks.instance(name, str, name="name")
    if channels is not None:
        checks.integer(channels, name="channels", low=1)
    # TensorFlow takes seconds to import; a wrong name answers without it.
    from tl_keras.data import choices

    chosen = choices.Choices(
        image_size=image_size,
        batch_size=batch_size,
        seed=seed,
        channels=channels,
        validation_fraction=validation_fraction,
        train_examples=train_examples,
        keep_aspect_ratio=keep_aspect_ratio,
        cache=cache,
    )
    source = _read(name, data_dir)
    if source.kind == "image" and channels is None:
        chosen = dataclasses.replace(chosen, channels=3)
    return chosen.apply(source)


def names() -> list[str]:
    """The names and prefixes that `load` knows besides those of TFDS.

    Example:
        >>> from tl_keras.data import sources
        >>> sources.names()
        ['digits', 'folder:PATH', 'csv:PATH', 'npz:PATH']
    """
    return [*_BY_NAME, *(f"{prefix}:PATH" for prefix in _BY_PREFIX)]


def _read(name, data_dir):
    prefix, _, path = name.partition(":")
    if name in _BY_NAME:
        _refuse(data_dir, name)
        return importlib.import_module(_BY_NAME[name]).read()
    if prefix in _BY_PREFIX:
        _refuse(data_dir, name)
        return importlib.import_module(_BY_PREFIX[prefix]).read(path)
    if path and not re.fullmatch(_VERSION, path):
        checks.one_of(prefix, list(_BY_PREFIX), name="name (its prefix)")
    module = importlib.import_module("tl_keras.data.tfds_source")
    return module.read(name, data_dir, known=names())


def _refuse(data_dir, name):
    if data_dir is not None:
        raise ValueError(
            f"`data_dir` is where TensorFlow Datasets keeps its data. Got: "
            f"{data_dir!r} for {name!r}, which needs none. Leave it out."
        )
