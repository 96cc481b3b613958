"""Examples from image files on disk."""

import pathlib

import numpy as np

from tl_keras.data import examples
from tl_keras.data import fingerprint

SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
EXPECTED = "Expected a JPEG, PNG, GIF, BMP or WebP image."
_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
_LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini", "__macosx")


def to_examples(paths, labels) -> examples.Examples:
    """Labelled image files as examples; the paths are their ids."""
    ids = np.array([str(path) for path in paths], object)
    return examples.Examples(
        examples.Encoded(ids, ids),
        np.asarray(labels, np.int64),
        ids,
        fingerprint.of_files(ids),
    )


def is_hidden(path: pathlib.Path) -> bool:
    """Whether a file or folder is there for the system, not for the user.

    Names that begin with a dot, `Thumbs.db`, `desktop.ini` and `__MACOSX`.

    Example:
        >>> import pathlib
        >>> from tl_keras.data import files
        >>> files.is_hidden(pathlib.Path("cats/.DS_Store"))
        True
    """
    return path.name.startswith(".") or path.name.lower() in _LEFT_BY_SYSTEMS


def has_image_name(path: pathlib.Path) -> bool:
    """Whether a file's name ends as an image's, in any case.

    Example:
        >>> import pathlib
        >>> from tl_keras.data import files
        >>> files.has_image_name(pathlib.Path("cat.JPG"))
        True
    """
    return path.suffix.lower() in _SUFFIXES


def looks_like_an_image(path: pathlib.Path) -> bool:
    """Whether a file begins as an image of a known format does."""
    with open(path, "rb") as file:
        start = file.read(12)
    return (
        start.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM"))
        or start[:4] + start[8:] == b"RIFFWEBP"
    )
