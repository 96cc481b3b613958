"""Texts to words, as BERT's basic tokenization cuts them, in TensorFlow."""

import functools
import itertools
import re
import unicodedata

import numpy as np
import tensorflow as tf

_CODE_POINTS = 0x110000
_PRIVATE_USE = 0xF0000
# All that Unicode has assigned, but for the planes of private use.
_ASSIGNED = (range(0x33480), range(0xE0000, 0xE0200))
_PAGE = 256
# The ideographs that BERT sets apart, each a word of its own. Hangul and the
# Japanese syllabaries are not among them.
_IDEOGRAPH = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b820-\U0002ceaf\U0002f800-\U0002fa1f]"
)
# Stands for the character itself; the real U+0000 is dropped.
_ITSELF = "\0"


def split(
    texts,
    *,
    lowercase: bool = True,
    strip_accents: bool = True,
    split_ideographs: bool = True,
) -> tf.RaggedTensor:
    """Cuts texts into words and punctuation marks.

    White space separates words and is dropped, like control characters and
    what is no valid UTF-8. Every punctuation mark is a word of its own: those
    of Unicode, and in ASCII all that is no letter, digit or space.

    Every step of that looks at one character at a time. So the whole is one
    table, from a character to what becomes of it, and a cut at the spaces.
    The table is made from Python's `unicodedata` and lies inside the graph.

    Args:
        texts: String tensor `[batch]`, UTF-8.
        lowercase: Whether words are put into lower case.
        strip_accents: Whether characters are decomposed (NFD) and nonspacing
            marks dropped, so that "é" becomes "e". That takes Hangul
            syllables apart, too.
        split_ideographs: Whether each Chinese character is a word.

    Returns:
        String `tf.RaggedTensor` `[batch, None]`.

    Example:
        >>> words = split(tf.constant(["Café? Non,\\tmerci.", ""]))
        >>> [[word.decode() for word in row] for row in words.to_list()]
        [['cafe', '?', 'non', ',', 'merci', '.'], []]
    """
    table = _table(lowercase, strip_accents, split_ideographs)
    codes = tf.strings.unicode_decode(texts, "UTF-8")
    characters = codes.flat_values
    page = tf.gather(table.page_of, characters // _PAGE)
    kinds = tf.gather(table.kinds, page * _PAGE + characters % _PAGE)
    results = tf.RaggedTensor.from_row_splits(
        tf.constant(table.results), tf.constant(table.splits), validate=False
    )
    became = tf.gather(results, kinds)
    itself = tf.gather(characters, became.value_rowids())
    became = became.with_flat_values(
        tf.where(became.flat_values == ord(_ITSELF), itself, became.flat_values)
    )
    spaced = codes.with_values(became).merge_dims(1, 2)
    return tf.strings.split(tf.strings.unicode_encode(spaced, "UTF-8"))


class _Table:
    """What becomes of every character, in a compact form.

    There are few thousand different results, numbered by `kinds`; and most
    pages of 256 characters are alike, so that each is kept once.

    Attributes:
        page_of: int32 `[4352]`, the number of the page of each 256 code points.
        kinds: int32 `[pages * 256]`, the number of each character's result.
        results: int32, the code points of all results in a row.
        splits: int64, where each result begins, and the end.
    """

    def __init__(self, become):
        numbers = {_ITSELF: 0, "": 1}
        kinds = np.zeros(_CODE_POINTS, "int32")
        for code in itertools.chain(*_ASSIGNED):
            result = become(chr(code))
            if result != _ITSELF:
                kinds[code] = numbers.setdefault(result, len(numbers))
        kinds[_PRIVATE_USE:] = numbers[""]
        pages = {}
        self.page_of = np.array(
            [
                pages.setdefault(page.tobytes(), len(pages))
                for page in kinds.reshape(-1, _PAGE)
            ],
            "int32",
        )
        self.kinds = np.frombuffer(b"".join(pages), "int32")
        self.results = np.array([ord(c) for c in "".join(numbers)], "int32")
        self.splits = np.cumsum([0, *map(len, numbers)], dtype="int64")


@functools.cache
def _table(lowercase, strip_accents, split_ideographs) -> _Table:
    return _Table(
        functools.partial(
            _become,
            lowercase=lowercase,
            strip_accents=strip_accents,
            split_ideographs=split_ideographs,
        )
    )


def _become(character, lowercase, strip_accents, split_ideographs) -> str:
    """What a character becomes; words are set apart by spaces."""
    category = unicodedata.category(character)
    if character in "\t\n\r" or category[0] == "Z":
        return " "
    if category in ("Cc", "Cf", "Co", "Cs") or character == "\ufffd":
        return ""
    result = character
    if strip_accents:
        decomposed = unicodedata.normalize("NFD", character)
        result = "".join(
            c for c in decomposed if unicodedata.category(c) != "Mn"
        )
    if lowercase:
        result = result.lower()
    result = "".join(f" {c} " if _is_punctuation(c) else c for c in result)
    if split_ideographs and _IDEOGRAPH.match(character):
        result = f" {result} "
    return result.replace(character, _ITSELF)


def _is_punctuation(character) -> bool:
    in_ascii = "!" <= character <= "~" and not character.isalnum()
    return in_ascii or unicodedata.category(character)[0] == "P"
