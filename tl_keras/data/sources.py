"""`load`: data by the name of its source, in one step or in two."""

import dataclasses
import importlib
import re

from tl_keras import checks
from tl_keras.data import table_columns

# Prefix or name to the module that reads it. Any other name is asked of TFDS.
_BY_NAME = {"digits": "tl_keras.data.digits"}
_BY_PREFIX = {
    "folder": "tl_keras.data.folders",
    "csv": "tl_keras.data.tables",
    "tsv": "tl_keras.data.tables",
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
    sample_rate: int | None = None,
    seconds: float | None = None,
    data_dir: str | None = None,
    text_column: str | int = "text",
    label_column: str | int = "label",
    cache: bool | str = "auto",
    exclude=(),
):
    """Loads labelled images, texts or sounds, split and ready to be batched.

    The sources, by name:

    - `digits`: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, always
      there. A fifth of each class, always the same, is the test part.
    - `cifar10`, `imdb_reviews`, `speech_commands` and any other data set of
      TensorFlow Datasets with one image, text or sound and one class label
      per example, in its own splits; downloaded unless it is in `data_dir`.
    - `folder:PATH`: class folders, `PATH/CLASS/`, or below a level of `train`,
      `validation` (or `val`, `valid`, `dev`) and `test`, of image files, or
      of sound files (WAV; FLAC, OGG and MP3 with the extra `audio`), or of
      texts (`.txt`, in UTF-8, one in each file).
    - `csv:PATH`: a table, separated by commas, with columns `text` and
      `label`, optionally `split`. Or, if it has a column `path`, of files,
      relative to the table's folder. Or a folder with `train.csv`, and
      `validation.csv` (or `val`, `valid`, `dev`) and `test.csv`.
    - `tsv:PATH`: the same, separated by tabs; quotes mean nothing.
    - `npz:PATH`: arrays `x_train`, `y_train`, optionally `x_validation`,
      `y_validation` (or `x_val`, `y_val`), `x_test`, `y_test`, `class_names`:
      images, or texts.

    Where a source has no validation part, one is split off the training part,
    stratified by class and seeded. Nothing is ever split off a test part;
    where a source (other than `digits`) has none, `test` is None. A test part
    whose labels are all missing (-1, or empty in a table) is left out with a
    warning.

    An argument that is for another kind of data than the source holds is an
    error.

    Args:
        name: One of the names above.
        image_size: Of images: height and width to resize to, in pixels. None
            keeps their own size, if all have the same and are square.
        batch_size: Examples per batch, at least 1.
        seed: Seed of the validation split, the order and the augmentation, in
            [0, 2**32 - 1].
        channels: Of images: 1 (grey), 3 (RGB, the default) or 4 (RGBA). Grey
            images are repeated, a transparency channel is dropped, see
            `images.decode`. Of sounds: 1 mixes all channels to their mean,
            more repeat the one there is; None keeps the number that all
            clips have, and is 1 where they differ.
        validation_fraction: Share of the training part to split off where the
            source has no validation part, in [0, 1). 0 for none. At least one
            example per class is split off.
        train_examples: Use only so many training examples, chosen stratified
            and seeded from what is left after the validation split. None for
            all.
        keep_aspect_ratio: Of images: whether those that are not square are
            cut to the square in their middle before resizing; else they are
            squeezed.
        sample_rate: Of sounds: samples per second, in Hz, to which clips of
            another rate are resampled. None keeps the rate that all have.
        seconds: Of sounds: length of every clip, above 0. Longer ones are cut
            at the end, shorter ones get zeros there. None for the longest
            training clip.
        data_dir: Where TensorFlow Datasets prepares its data, and looks for
            it; None for `~/tensorflow_datasets`. For its names only.
        text_column: Of a table of texts: the name of their column. Or its
            position, from 0, in a table without a header.
        label_column: Of a table: the name of the labels' column. A position
            where `text_column` is one.
        cache: Whether to keep decoded images or clips in memory: "auto" does
            it if they take at most a quarter of what is available. It changes
            the time, not the values. Files are checked when they are decoded:
            at once if they are kept, else when they are read. (The first time
            they are read once for the fingerprint, in either case.) Texts are
            always kept.
        exclude: Ids of examples that are left out before anything is split,
            as `Data.ids` has them. Among `train_examples` they are replaced.

    Returns:
        A `Data`. Its `input_spec` says what a batch holds.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the name, an argument, a text, a label or a file is
            wrong.
        FileNotFoundError: If there is nothing at the path.
        DownloadError: If the data is not prepared here and its host cannot be
            reached.
        ImportError: If a package is needed (TensorFlow Datasets, or soundfile
            for sound files other than WAV of 16 bits) and not installed.

    Example:
        >>> import tl_keras
        >>> data = tl_keras.data.load("digits", seed=0)
        >>> data.num_examples
        {'train': 1294, 'validation': 144, 'test': 359}
    """
    # Wrong arguments answer before anything is read.
    choices = _choices(
        image_size=image_size,
        batch_size=batch_size,
        seed=seed,
        channels=channels,
        validation_fraction=validation_fraction,
        train_examples=train_examples,
        keep_aspect_ratio=keep_aspect_ratio,
        sample_rate=sample_rate,
        seconds=seconds,
        cache=cache,
        exclude=exclude,
    )
    source = read(
        name,
        data_dir=data_dir,
        text_column=text_column,
        label_column=label_column,
    )
    return _apply(choices, source)


def read(
    name: str,
    *,
    data_dir: str | None = None,
    text_column: str | int = "text",
    label_column: str | int = "label",
    refused: dict | None = None,
):
    """Reads a source, so that its kind is known before choices are made.

    Args:
        name, data_dir, text_column, label_column: As of `load`.
        refused: Where files of a `folder:PATH` that are no examples are
            noted, path to reason. None makes an error of the first one.

    Returns:
        A `Source`, for `prepare`. Images and clips in files are not decoded.

    Raises:
        As `load`.

    Example:
        >>> from tl_keras.data import sources
        >>> source = sources.read("digits")
        >>> source.kind, len(source.class_names)
        ('image', 10)
    """
    checks.instance(name, str, name="name")
    columns = table_columns.check(text_column, label_column)
    prefix, _, path = name.partition(":")
    if prefix in _BY_PREFIX or name in _BY_NAME:
        _refuse(data_dir, name)
    if prefix in ("csv", "tsv"):
        return _module(_BY_PREFIX[prefix]).read(path, prefix, columns)
    _refuse_columns(columns, name)
    if name in _BY_NAME:
        return _module(_BY_NAME[name]).read()
    if prefix == "folder":
        return _module(_BY_PREFIX[prefix]).read(path, refused)
    if prefix in _BY_PREFIX:
        return _module(_BY_PREFIX[prefix]).read(path)
    if path and not re.fullmatch(_VERSION, path):
        checks.one_of(prefix, list(_BY_PREFIX), name="name (its prefix)")
    tfds_source = _module("tl_keras.data.tfds_source")
    return tfds_source.read(name, data_dir, known=names())


def column(
    name: str,
    column_name: str,
    *,
    text_column: str | int = "text",
    label_column: str | int = "label",
) -> dict[str, str]:
    """A further column of a table, e.g. whose voice each clip is.

    Args:
        name: A table, `csv:PATH` or `tsv:PATH`.
        column_name: The column's name in the header, or its position.
        text_column, label_column: As of `load`.

    Returns:
        Dict of an example's id to what the column says of it.

    Raises:
        ValueError: If the source is no table, or has no such column.
    """
    prefix, _, path = name.partition(":")
    if prefix not in ("csv", "tsv"):
        raise ValueError(
            f"Only tables have columns. Got: {column_name!r} of {name!r}. "
            "Expected `csv:PATH` or `tsv:PATH`, which may list files too."
        )
    columns = table_columns.check(text_column, label_column)
    return _module(_BY_PREFIX[prefix]).column(
        path, prefix, columns, column_name
    )


def prepare(source, **options):
    """Splits a source, and makes it ready to be batched.

    Args:
        source: What `read` gave.
        **options: The other arguments of `load`, with its defaults.

    Returns:
        A `Data`.

    Raises:
        As `load`.

    Example:
        >>> from tl_keras.data import sources
        >>> data = sources.prepare(sources.read("digits"), image_size=16)
        >>> data.input_spec.size
        16
    """
    return _apply(_choices(**options), source)


def names() -> list[str]:
    """The names and prefixes that `load` knows besides those of TFDS.

    Example:
        >>> from tl_keras.data import sources
        >>> sources.names()
        ['digits', 'folder:PATH', 'csv:PATH', 'tsv:PATH', 'npz:PATH']
    """
    return [*_BY_NAME, *(f"{prefix}:PATH" for prefix in _BY_PREFIX)]


def _choices(**options):
    # TensorFlow takes seconds to import, and reading needs none of it.
    from tl_keras.data import choices

    return choices.Choices(**options)


def _apply(choices, source):
    if source.kind == "image" and choices.channels is None:
        choices = dataclasses.replace(choices, channels=3)
    return choices.apply(source)


def _module(name):
    return importlib.import_module(name)


def _refuse(data_dir, name):
    if data_dir is not None:
        raise ValueError(
            f"`data_dir` is where TensorFlow Datasets keeps its data. Got: "
            f"{data_dir!r} for {name!r}, which needs none. Leave it out."
        )


def _refuse_columns(columns, name):
    for argument, value, default in (
        ("text_column", columns.text, table_columns.TEXT),
        ("label_column", columns.label, table_columns.LABEL),
    ):
        if value != default:
            raise ValueError(
                f"`{argument}` is for tables, `csv:PATH` and `tsv:PATH`. Got: "
                f"{value!r} for {name!r}. Leave it out."
            )
