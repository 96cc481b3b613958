"""Texts that ride along in a file whose format ignores what follows it.

A `.tflite` file is a FlatBuffer, which is read from its beginning, and a zip
archive is read from its end. One appended to the other is how the metadata of
TensorFlow Lite packs a model's "associated files", such as its labels; `unzip`
lists them.
"""

import zipfile

# The time of an entry, so that the same model gives the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def append(path, texts: dict[str, str]):
    """Appends texts to a file, in place.

    Args:
        path: A file without an archive.
        texts: From name to text.
    """
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, _TIME), text.encode())


def read(path, name: str) -> str:
    """One of a file's texts.

    Args:
        path: The file.
        name: Name of the text.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it carries no such text.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("model.tflite").write_bytes(b"a model")
        >>> append("model.tflite", {"labels.txt": "cat"})
        >>> read("model.tflite", "labels.txt")
        'cat'
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name).decode()
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f"{str(path)!r} carries no {name}. Expected a file from "
            "`tl_keras.serving.litert.convert`; other converters append none."
        ) from error
