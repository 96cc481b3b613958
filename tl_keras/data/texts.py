"""Texts as examples: in UTF-8, and none of them empty."""

import codecs

import numpy as np

from tl_keras.data import examples
from tl_keras.data import fingerprint


def to_examples(values, labels, ids) -> examples.Examples:
    """Labelled texts as examples; the content of a text is its UTF-8."""
    return examples.Examples(
        examples.Texts(np.array(values, object)),
        np.asarray(labels, np.int64),
        np.array(ids, object),
        fingerprint.of_bytes(value.encode() for value in values),
    )


def to_inputs(values, split: str) -> examples.Texts:
    """Texts in an array or a list, if that is what they are.

    Args:
        values: Array-like `[examples]` of `str`.
        split: Name of the part, for errors.

    Raises:
        ValueError: If an entry is no `str`, or is empty, or cannot be written
            in UTF-8. The message names the position.
    """
    if not isinstance(values, (list, tuple)):
        values = np.asarray(values)
    if not len(values):
        raise ValueError(
            f"There are no texts in `{split}`. Leave the part out."
        )
    for position, value in enumerate(values):
        where = f"`{split}`, position {position}"
        if isinstance(value, bytes):
            raise ValueError(
                f"{where}: got bytes, {value[:20]!r}. Expected texts of type "
                "str; write `[text.decode() for text in texts]`."
            )
        if not isinstance(value, str):
            raise ValueError(
                f"{where}: got {value!r} of type {type(value).__name__}. "
                "Expected texts of type str; leave out what is missing."
            )
        try:
            not_empty(value, where).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{where}: {error}. Expected a text.") from error
    return examples.Texts(np.array(values, object))


def are_texts(values) -> bool:
    """Whether an array or a list has texts in it, or their bytes.

    Example:
        >>> from tl_keras.data import texts
        >>> texts.are_texts(["a film", None]), texts.are_texts([1.0, 2.0])
        (True, False)
    """
    if not isinstance(values, (list, tuple)):
        values = np.asarray(values)
        if values.ndim == 0 or values.dtype.kind != "O":
            return values.ndim > 0 and values.dtype.kind in "US"
    return any(isinstance(value, (str, bytes)) for value in values)


def decode(content: bytes, name) -> str:
    """The text that is written in UTF-8, without a byte order mark.

    Args:
        content: Its bytes.
        name: What holds it, for the error.

    Raises:
        ValueError: If it is not in UTF-8. The message names the line.

    Example:
        >>> from tl_keras.data import texts
        >>> texts.decode("Vögel".encode(), "birds.txt")
        'Vögel'
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        is_utf_16 = content.startswith((codecs.BOM_UTF16, b"\xfe\xff"))
        raise ValueError(
            f"{name}, line {line}: byte 0x{content[error.start]:02x} is not "
            "UTF-8. Convert it, e.g. with `iconv -f "
            f"{'UTF-16' if is_utf_16 else 'LATIN1'} -t UTF-8`."
        ) from error


def not_empty(text: str, where: str) -> str:
    """Returns a text, unless there is nothing but white space in it.

    Args:
        text: The text.
        where: Its place, for the error.

    Raises:
        ValueError: If it is empty.

    Example:
        >>> from tl_keras.data import texts
        >>> texts.not_empty("a film", "films.csv, line 2")
        'a film'
    """
    if text.strip():
        return text
    raise ValueError(
        f"{where}: the text is empty. Remove the example, or write what it is "
        "to hold."
    )
