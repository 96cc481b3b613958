"""BERT's tokenizer as a layer: strings to token ids, inside the graph."""

import os

import keras
import tensorflow as tf

from tl_keras import checks
from tl_keras.encoders import words as words_lib

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")

_MAX_WORD_LENGTH = 100
_CONTINUED = "##"
_NONE = -1


@keras.saving.register_keras_serializable("tl_keras")
class WordPieceTokenizer(keras.layers.Layer):
    """Cuts texts into the pieces of a vocabulary, as BERT does.

    Words and punctuation marks are set apart first (`words.split`). A word
    that the vocabulary lacks is then cut into pieces, each the longest that
    fits: "embeddings" into "em", "##bed", "##ding", "##s". A word for which
    that fails, or one of more than 100 characters, becomes the unknown token.
    The result is framed by the start and the end token, cut off or padded.

    The layer has no weights, uses nothing but TensorFlow's own operations on
    the CPU, and works on whole batches: in a model, in a `tf.data` pipeline
    and in a SavedModel alike. Its vocabulary is part of its config, and so of
    a `.keras` file, which plain Keras loads where this module is imported.

    A special token that is spelled out in a text is cut like other text:
    nobody can end a sentence by writing "[SEP]". Hence the ids are those of
    padding where there is no token, and nowhere else.

    What it does with a character comes from the `unicodedata` of the Python
    that makes the layer. Hugging Face's `BertWordPieceTokenizer` knows an
    older Unicode: some 800 of the 1.1 million characters differ, all but four
    of them newer than 2002.

    Args:
        vocabulary: The tokens, each once, in the order of their ids.
        sequence_length: Number of ids of each text, at least 2.
        lowercase: Whether words are put into lower case.
        strip_accents: Whether accents are taken off. None: as `lowercase`.
        split_ideographs: Whether each Chinese character is a word.
        special_tokens: The tokens for padding, for unknown words, for the
            start and for the end of a text, as they stand in `vocabulary`.
        **kwargs: Those of every Keras layer, e.g. `name`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the vocabulary has a token twice or lacks a special
            one, or if `sequence_length` is too small.

    Example:
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "read", "##ing", "!"]
        >>> tokenizer = WordPieceTokenizer(tokens, sequence_length=7)
        >>> tokenizer(tf.constant(["Reading!", "Reads"])).numpy()
        array([[2, 4, 5, 6, 3, 0, 0],
               [2, 1, 3, 0, 0, 0, 0]], dtype=int32)

    Reference:
        Wu et al., "Google's Neural Machine Translation System: Bridging the
        Gap between Human and Machine Translation", 2016,
        https://arxiv.org/abs/1609.08144
    """

    def __init__(
        self,
        vocabulary,
        sequence_length: int = 128,
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_ideographs: bool = True,
        special_tokens: tuple[str, str, str, str] = SPECIAL_TOKENS,
        **kwargs,
    ):
        super().__init__(**kwargs)
        ids = _numbered(vocabulary)
        self.sequence_length = checks.integer(
            sequence_length, name="sequence_length", low=2
        )
        self.lowercase = bool(lowercase)
        self.strip_accents = bool(
            lowercase if strip_accents is None else strip_accents
        )
        self.split_ideographs = bool(split_ideographs)
        self.special_tokens = _checked_special_tokens(special_tokens, ids)
        self.pad_id, self._unknown_id, self._start_id, self._end_id = (
            ids[token] for token in self.special_tokens
        )
        # As one string: Keras looks into every item of a list.
        self._vocabulary = "\n".join(ids)
        self._longest = min(max(map(len, ids)), _MAX_WORD_LENGTH)
        with tf.init_scope(), tf.device("CPU:0"):
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(list(ids)), tf.range(len(ids))
                ),
                default_value=_NONE,
            )
        # Traced once, and one node in every graph; alone it is fast, too.
        self._tokenize = tf.function(
            self._ids,
            [tf.TensorSpec([None], tf.string)],
            autograph=False,
        )
        # XLA knows no strings.
        self.supports_jit = False
        self.built = True

    @property
    def vocabulary(self) -> list[str]:
        """The tokens in the order of their ids."""
        return self._vocabulary.split("\n")

    @property
    def resources(self) -> list:
        """What a `tf.Module` must keep as an attribute to be saved with a
        function that calls this layer: the table with the vocabulary."""
        return [self.table]

    def call(self, texts):
        """Token ids for texts.

        Args:
            texts: Strings `[batch]`, UTF-8.

        Returns:
            int32 `[batch, sequence_length]`.
        """
        texts = tf.convert_to_tensor(texts)
        if texts.dtype != tf.string or texts.shape.rank not in (1, None):
            raise ValueError(
                "The tokenizer takes a batch of texts. Got: "
                f"{texts.dtype.name} of shape {tuple(texts.shape)}. Expected: "
                "string of shape (batch,)."
            )
        return self._tokenize(texts)

    def compute_output_spec(self, texts):
        shape = (texts.shape[0], self.sequence_length)
        return keras.KerasTensor(shape, dtype="int32")

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": self._vocabulary,
            "sequence_length": self.sequence_length,
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "split_ideographs": self.split_ideographs,
            "special_tokens": list(self.special_tokens),
        }

    def _ids(self, texts):
        # Elsewhere the integers would go to and fro between the devices.
        with tf.device("CPU:0"):
            words = words_lib.split(
                texts,
                lowercase=self.lowercase,
                strip_accents=self.strip_accents,
                split_ideographs=self.split_ideographs,
            )
            # Each gives a token at least: no more of them can be needed.
            words = words[:, : self.sequence_length - 2]
            pieces, row_of = self._pieces(words.flat_values)
            ids = tf.gather(pieces, words.with_flat_values(row_of))
            return self._framed(ids.merge_dims(1, 2))

    def _pieces(self, words):
        """The pieces of words.

        Args:
            words: Strings `[words]`.

        Returns:
            int32 `tf.RaggedTensor` `[rows, None]`, the ids of the pieces, and
            int32 `[words]`, the row of each word. Most words are a token as
            they are; only the others have to be cut.
        """
        whole = self.table.lookup(words)
        count = tf.size(words)
        short = tf.strings.length(words, "UTF8_CHAR") <= _MAX_WORD_LENGTH
        to_cut = tf.where((whole == _NONE) & short)
        cut = self._cut(tf.gather_nd(words, to_cut))
        succeeded = tf.reduce_all(cut[:, :1] != _NONE, axis=1)
        rows = tf.where(
            succeeded,
            count + tf.range(tf.size(succeeded)),
            tf.cast(to_cut[:, 0], tf.int32),
        )
        whole = tf.where(whole == _NONE, self._unknown_id, whole)
        pieces = tf.concat(
            [
                tf.RaggedTensor.from_tensor(whole[:, None]),
                tf.RaggedTensor.from_tensor(cut, padding=_NONE),
            ],
            axis=0,
        )
        row_of = tf.tensor_scatter_nd_update(tf.range(count), to_cut, rows)
        return pieces, row_of

    def _cut(self, words):
        """Cuts words greedily: at each step the longest piece that fits.

        Args:
            words: Strings `[words]` of at least one character.

        Returns:
            int32 `[words, steps]`: the ids of the pieces, then -1; nothing
            but -1 for words that have no pieces.
        """
        lengths = tf.strings.length(words, "UTF8_CHAR")
        sizes = tf.range(1, self._longest + 1)

        def step(starts, cut, failed):
            rest = tf.strings.substr(
                words,
                starts,
                tf.fill(tf.shape(words), self._longest),
                unit="UTF8_CHAR",
            )
            mark = tf.where(starts > 0, _CONTINUED, "")
            marked = tf.strings.join([mark, rest])
            ends = sizes + tf.strings.length(mark)[:, None]
            candidates = tf.strings.substr(
                marked[:, None], tf.zeros_like(ends), ends, unit="UTF8_CHAR"
            )
            ids = self.table.lookup(candidates)
            fits = (ids != _NONE) & (sizes <= (lengths - starts)[:, None])
            size = tf.reduce_max(tf.where(fits, sizes, 0), axis=1)
            chosen = tf.where(sizes == size[:, None], ids, _NONE)
            piece = tf.reduce_max(chosen, axis=1)
            failed |= (starts < lengths) & (size == 0)
            starts = tf.where(failed, lengths, starts + size)
            return starts, tf.concat([cut, piece[:, None]], 1), failed

        nothing = tf.zeros([tf.size(words), 0], tf.int32)
        _, cut, failed = tf.while_loop(
            lambda starts, cut, failed: tf.reduce_any(starts < lengths),
            step,
            [
                tf.zeros_like(lengths),
                nothing,
                tf.zeros_like(lengths, tf.bool),
            ],
            shape_invariants=[
                lengths.shape,
                tf.TensorShape([None, None]),
                lengths.shape,
            ],
        )
        return tf.where(failed[:, None], _NONE, cut)

    def _framed(self, ids):
        """Ragged ids with start and end, cut off or padded."""
        ids = ids[:, : self.sequence_length - 2]
        frame = tf.ones([ids.nrows(), 1], tf.int32)
        framed = tf.concat(
            [self._start_id * frame, ids, self._end_id * frame], axis=1
        )
        return framed.to_tensor(self.pad_id, shape=[None, self.sequence_length])


def read_vocabulary(path: str | os.PathLike) -> list[str]:
    """The tokens in a `vocab.txt`, one a line, as BERT's checkpoints have it.

    Args:
        path: The file, in UTF-8.

    Returns:
        The tokens in order.
    """
    with open(path, encoding="utf-8", newline="") as file:
        lines = file.read().replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _numbered(vocabulary) -> dict[str, int]:
    """Token to id."""
    if isinstance(vocabulary, str):  # From a config.
        vocabulary = vocabulary.split("\n")
    checks.instance(vocabulary, (list, tuple), name="vocabulary")
    ids = {}
    for token in vocabulary:
        checks.instance(token, str, name="vocabulary")
        if token in ids or "\n" in token:
            problem = "twice" if token in ids else "with a line break inside"
            raise ValueError(
                f"`vocabulary` has a token {problem}. Got: {token!r}. "
                "Expected tokens of one line, each once."
            )
        ids[token] = len(ids)
    return ids


def _checked_special_tokens(tokens, ids) -> tuple[str, ...]:
    checks.instance(tokens, (list, tuple), name="special_tokens")
    missing = [token for token in tokens if token not in ids]
    if missing or len(tokens) != len(SPECIAL_TOKENS):
        problem = f"{missing} not in the vocabulary" if missing else tokens
        raise ValueError(
            f"`special_tokens` does not fit. Got: {problem}. Expected four "
            "tokens of the vocabulary: for padding, for unknown words, for "
            f"the start and for the end, e.g. {SPECIAL_TOKENS}."
        )
    return tuple(tokens)
