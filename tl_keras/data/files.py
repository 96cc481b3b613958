"""Examples from files on disk: images, sound files or texts."""

import os

import numpy as np

from tl_keras.data import examples
from tl_keras.data import fingerprint
from tl_keras.data import sound_headers
from tl_keras.data import texts

SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
}
EXPECTED = "Expected a JPEG, PNG, GIF, BMP or WebP image."
_KINDS = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".gif", ".bmp"), "image"),
    ".webp": "image",
    **dict.fromkeys((".wav", ".flac", ".ogg", ".mp3"), "audio"),
    ".txt": "text",
}
_IN_WORDS = {"image": "an image", "audio": "a sound file", "text": "a text"}
_LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini", "__macosx")


def to_examples(paths, labels, kind: str) -> examples.Examples:
    """Labelled files of one kind as examples; the paths are their ids."""
    ids = np.array([str(path) for path in paths], object)
    inputs = to_inputs(paths, kind)
    if kind == "text":
        return texts.to_examples(inputs.values, labels, ids)
    return examples.Examples(
        inputs, np.asarray(labels, np.int64), ids, fingerprint.of_files(ids)
    )


def to_inputs(paths, kind: str):
    """Files of one kind as inputs without labels: `Texts` or `Encoded`.

    Raises:
        ValueError: If a text is empty or not in UTF-8. The message names it.
    """
    if kind == "text":
        values = [
            texts.not_empty(texts.decode(_content(path), path), path)
            for path in paths
        ]
        return examples.Texts(np.array(values, object))
    names = np.array([str(path) for path in paths], object)
    return examples.Encoded(names, names, kind)


def common_kind(kinds, where) -> str:
    """The kind that all files have: `"image"`, `"audio"` or `"text"`.

    Args:
        kinds: Iterable of `(path, kind)`.
        where: What lists or holds the files, for the error.

    Raises:
        ValueError: If there are two kinds. The message names a file of each.
    """
    first = {}
    for path, kind in kinds:
        first.setdefault(kind, path)
    if len(first) > 1:
        got = ", ".join(
            f"{_IN_WORDS[kind]}, {path}" for kind, path in first.items()
        )
        raise ValueError(
            f"{where} mixes kinds of files. Got: {got}. Expected images, "
            "sound files or texts; remove what is not to be learned from."
        )
    return next(iter(first))


def kind_of(path) -> str | None:
    """What a file is by its name, or else by how it begins.

    Args:
        path: Path of a file, as a string or a `pathlib.Path`.

    Returns:
        `"image"`, `"audio"`, `"text"`, or None.
    """
    kind = kind_by_name(path)
    if kind is None:
        with open(path, "rb") as file:
            start = file.read(12)
        if _begins_as_an_image(start):
            return "image"
        if sound_headers.format_of(start):
            return "audio"
    return kind


def kind_by_name(path) -> str | None:
    """What a file's name says that it is, in any case of the letters.

    Example:
        >>> from tl_keras.data import files
        >>> files.kind_by_name("dogs/bark.WAV")
        'audio'
    """
    return _KINDS.get(os.path.splitext(path)[1].lower())


def is_hidden(path) -> bool:
    """Whether a file or folder is there for the system, not for the user.

    Names that begin with a dot, `Thumbs.db`, `desktop.ini` and `__MACOSX`.

    Example:
        >>> from tl_keras.data import files
        >>> files.is_hidden("cats/.DS_Store")
        True
    """
    name = os.path.basename(path)
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def _content(path) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _begins_as_an_image(start):
    return (
        start.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM"))
        or start[:4] + start[8:] == b"RIFFWEBP"
    )
