"""The parts of a text, each of which may be there or not."""

import re

import keras
import numpy as np
import tensorflow as tf

from tl_keras import graph
from tl_keras.interpretation import class_scores

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")


class Words:
    """A text as words and punctuation marks, which are cut out of it.

    Needs a model's inputs and outputs only.

    Args:
        scores: The `ClassScores` of a model that takes texts.
        text: The text.

    Attributes:
        scores: The `ClassScores`.
        names: The words in their order.

    Example:
        >>> Words(None, "A film, not good.").names
        ['A', 'film', ',', 'not', 'good', '.']
        >>> keep = np.array([True, True, False, False, True, True])
        >>> Words(None, "A film, not good.").text(keep)
        'A film good.'
    """

    def __init__(self, scores, text: str):
        self.scores = scores
        self._text = text
        self._spans = [match.span() for match in _WORD.finditer(text)]
        self.names = [text[start:end] for start, end in self._spans]

    def text(self, keep) -> str:
        """The text without the words that are not kept.

        Args:
            keep: bool `[words]`.
        """
        pieces, done = [], 0
        for (start, end), kept in zip(self._spans, keep, strict=True):
            pieces.append(self._text[done : end if kept else start])
            done = end
        pieces.append(self._text[done:])
        return re.sub(r"\s+", " ", "".join(pieces)).strip()

    def logits(self, keep) -> np.ndarray:
        """Logits, float32 `[rows, num_classes]`.

        Args:
            keep: bool `[rows, words]`: which are there.
        """
        return self.scores.all_logits([self.text(row) for row in keep])


class Tokens:
    """A text as the tokens that a model makes of it, at their embedding.

    A token that is not there is an embedding of zeros. Needs a model whose
    graph goes through an embedding of tokens.

    Args:
        scores: The `ClassScores` of a model that takes texts.
        text: The text.

    Attributes:
        scores: The `ClassScores`.
        names: The tokens in their order, without padding. Where nothing in
            the model knows its vocabulary, their numbers.

    Raises:
        ValueError: If there is no such embedding, as in a model around a TF
            Hub module.
    """

    def __init__(self, scores, text: str):
        self.scores = scores
        self._text = text
        ids_value, self._value = _embedding(scores.graph)
        _, ids = scores.logits_through(
            tf.constant([text]), ids_value, lambda ids: ids
        )
        ids = ids.numpy()[0]
        vocabulary, padding = _vocabulary(scores.graph)
        self._places = np.flatnonzero(ids != padding)
        self.names = [
            vocabulary[number] if vocabulary else str(number)
            for number in ids[self._places]
        ]

    def logits(self, keep) -> np.ndarray:
        """Logits, float32 `[rows, num_classes]`.

        Args:
            keep: bool `[rows, tokens]`: which are there.
        """
        keep = np.asarray(keep)
        rows = []
        for start in range(0, len(keep), class_scores.BATCH_SIZE):
            part = keep[start : start + class_scores.BATCH_SIZE]
            rows.append(self.logits_of_shares(tf.constant(part, tf.float32)))
        return np.concatenate(rows)

    def logits_of_shares(self, shares):
        """Logits where of each token's embedding a share is there.

        Args:
            shares: float32 tensor `[rows, tokens]`.
        """

        def scale(embeddings):
            # What is no token of the text stays as it is.
            places = tf.one_hot(self._places, embeddings.shape[1])
            left = 1 + tf.linalg.matmul(shares - 1, places)
            return embeddings * tf.cast(left[..., None], embeddings.dtype)

        texts = tf.fill([len(shares)], self._text)
        return self.scores.logits_through(texts, self._value, scale)[0]


def _embedding(whole):
    """The value with token ids, and the one with their embeddings."""
    calls = whole.calls
    tokens = {
        value
        for call in calls
        if any(read.tensor.dtype == "string" for read in call.reads)
        for value in call.writes
    }
    for call in calls:
        made, weights = call.writes[0], getattr(call.operation, "weights", ())
        [*ids] = tokens.intersection(call.reads)
        # Positions and segments have embeddings too, of other numbers.
        if weights and ids and len(made.tensor.shape) == 3:
            return ids[0], made
    raise ValueError(
        "Integrated gradients of a text need an embedding of its tokens as a "
        "layer of the model, and this model has none that can be reached, "
        "such as one around a TF Hub module. Use 'occlusion', 'lime' or "
        "'shap', which need inputs and outputs only."
    )


def _vocabulary(whole: graph.Flat):
    """Tokens by their id, or None; and the id of padding."""
    for call in whole.calls:
        vocabulary = getattr(call.operation, "vocabulary", None)
        if vocabulary:
            return list(vocabulary), call.operation.pad_id
        if isinstance(call.operation, keras.layers.TextVectorization):
            return call.operation.get_vocabulary(), 0
    return None, 0
