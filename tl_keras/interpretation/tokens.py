"""Which words of a text speak for a class."""

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import lime
from tl_keras.interpretation import shap
from tl_keras.interpretation import text_parts

METHODS = ("occlusion", "integrated_gradients", "lime", "shap")
# Places on the line from no text to the whole of it.
_STEPS = 32


def token_attributions(
    model, texts, *, classes=None, method: str = "occlusion", seed: int = 0
) -> list[list[tuple[str, float]]]:
    """How much each word of texts speaks for a class.

    - `"occlusion"`: by how much the logit falls when the word is cut out.
    - `"integrated_gradients"`: what the embedding of each of the model's own
      tokens adds to the logit, from an embedding of zeros on; these sum to
      the difference of the logits. For a model whose embedding is a layer.
    - `"lime"`, `"shap"`: through their packages.

    Args:
        model: A `keras.Model` from texts (strings) to logits or
            probabilities, or the `ClassScores` of one.
        texts: Strings.
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        method: As above.
        seed: Of "lime" and "shap".

    Returns:
        For each text its words, or tokens, in order, each with a number:
        positive where it speaks for the class.

    Raises:
        ValueError: If the model takes no texts, a text has no words, or the
            method does not suit the model.
        ImportError: If a package is missing.

    Example:
        >>> import keras
        >>> texts = keras.Input((), dtype="string")
        >>> bag = keras.layers.TextVectorization(
        ...     vocabulary=["good", "bad"], output_mode="multi_hot")
        >>> model = keras.Model(texts, keras.layers.Dense(2)(bag(texts)))
        >>> kernel = np.array([[0.0, 0], [0, 4], [3, 0]])
        >>> model.set_weights([kernel, np.zeros(2)])
        >>> token_attributions(model, ["a good film"], classes=1)
        [[('a', 0.0), ('good', 4.0), ('film', 0.0)]]
    """
    checks.one_of(method, METHODS, name="method")
    scores = class_scores.of(model)
    texts = checked(scores.model, texts)
    classes = scores.chosen(texts, classes)
    explained = []
    for text, class_index in zip(texts, classes, strict=True):
        parts = parts_of(scores, text, method)
        values = _attributions(parts, int(class_index), method, seed)
        explained.append(
            [(n, float(v)) for n, v in zip(parts.names, values, strict=True)]
        )
    return explained


def checked(model, texts) -> list[str]:
    """Texts as a list, if a model takes them.

    Raises:
        ValueError: If it does not, or there are none.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    taken = model.inputs[0].dtype
    if taken != "string" or not texts:
        raise ValueError(
            f"`texts` does not fit. Got: {len(texts)} texts, and a model that "
            f"takes {taken}. Expected texts for a model that takes strings."
        )
    return texts


def parts_of(scores, text: str, method: str):
    """The parts of a text that a method weighs.

    Args:
        scores: The `ClassScores` of the model.
        text: The text.
        method: One of `METHODS`.

    Raises:
        ValueError: If there are none.
    """
    of_model = method == "integrated_gradients"
    kind = text_parts.Tokens if of_model else text_parts.Words
    parts = kind(scores, text)
    if not parts.names:
        raise ValueError(
            f"The text has no words. Got: {text!r}. Expected at least one."
        )
    return parts


def _attributions(parts, class_index, method, seed) -> np.ndarray:
    if method == "occlusion":
        return _falls(parts, class_index)
    if method == "integrated_gradients":
        return _integrated_slopes(parts, class_index)

    def logits_of(keep):
        return parts.logits(np.asarray(keep, bool))[:, class_index]

    package = lime if method == "lime" else shap
    return package.of_parts(logits_of, len(parts.names), seed=seed)


def _falls(parts, class_index):
    count = len(parts.names)
    keep = np.ones((count + 1, count), bool)
    keep[np.arange(1, count + 1), np.arange(count)] = False
    logits = parts.logits(keep)[:, class_index]
    return logits[0] - logits[1:]


def _integrated_slopes(parts, class_index):
    places, weights = np.polynomial.legendre.leggauss(_STEPS)
    shares = np.repeat((places[:, None] + 1) / 2, len(parts.names), axis=1)
    shares = tf.constant(shares, tf.float32)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(shares)
        logits = parts.logits_of_shares(shares)[:, class_index]
    # The slope by a token's share is that by its embedding times this, which
    # is the way from zero: the factor x - b of integrated gradients is in it.
    slopes = tape.gradient(logits, shares).numpy()
    return (weights / 2) @ slopes
