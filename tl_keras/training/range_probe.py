"""A look at the first batch: is it scaled as the encoder expects?"""

import warnings

import keras
import numpy as np

from tl_keras import cards
from tl_keras import checks

MODES = ("stop", "warn", "off")


# A loud recording may overshoot; 16-bit integers are far beyond.
_LOUDEST = 1.5


def probe(model, inputs, mode: str = "stop"):
    """Compares what the encoder's network gets with what it was trained on.

    Preprocessing that happens twice, not at all or in another way is the
    classic mistake of transfer learning: nothing fails, the accuracy is just
    worse. Dark, bright, flat or grey images pass, and so do small whole
    numbers; fractions that all lie in 0..1 or in -1..1 do not. Waveforms have
    to lie in -1..1; texts have no range.

    Args:
        model: A model with a card, i.e. from `tl_keras.build`. Others pass:
            what they expect is not known.
        inputs: One batch as the pipeline gives it: images
            `(batch, height, width, channels)`, uint8 or float, or waveforms.
        mode: `"stop"` raises an error, `"warn"` warns, `"off"` does nothing.

    Raises:
        ValueError: If the scaling is wrong and `mode` is `"stop"`.

    Example:
        >>> import numpy as np
        >>> import tl_keras
        >>> encoder = tl_keras.encoders.load("tiny")
        >>> head = tl_keras.heads.Classifier(num_classes=3)
        >>> model = tl_keras.build(encoder, head)
        >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
        >>> probe(model, images)
        >>> try:
        ...     probe(model, images / 255)
        ... except ValueError as error:
        ...     print(str(error)[:33])
        The images are scaled already, to

    Reference:
        https://github.com/keras-team/keras-io/issues/1549
    """
    checks.one_of(mode, MODES, name="range_probe")
    card = cards.of(model)
    if mode == "off" or card is None or card.trained_range is None:
        return
    inputs = np.asarray(inputs)
    if card.input_spec.kind == "audio":
        fault = _fault_of_waveforms(inputs)
    else:
        fault = _fault_of_raw(inputs) or _fault_of_preprocessed(
            model, inputs, card
        )
    if fault is None:
        return
    message = (
        f"{fault} If the {card.input_spec.kind} is right as it is, pass "
        "`range_probe='off'`."
    )
    if mode == "stop":
        raise ValueError(message)
    warnings.warn(message, stacklevel=3)


def _fault_of_waveforms(waveforms) -> str | None:
    """What is wrong with waveforms that should lie in -1..1."""
    low, high = float(waveforms.min()), float(waveforms.max())
    if max(-low, high) <= _LOUDEST:
        return None
    if not np.isfinite([low, high]).all():
        return f"The waveforms hold NaN or infinite values, {low} to {high}."
    return (
        "The waveforms are louder than full scale. Got values from "
        f"{low:.4g} to {high:.4g}. Expected -1..1; divide 16-bit samples by "
        "32768."
    )


def _fault_of_raw(images) -> str | None:
    """What is wrong with pixels that should be raw, 0..255."""
    if images.dtype == np.uint8:
        return None
    low, high = float(images.min()), float(images.max())
    came = f"Got values from {low:.4g} to {high:.4g}."
    expected = (
        "Expected raw pixels 0..255 (uint8, or float of the same range): the "
        "model holds the encoder's preprocessing."
    )
    if not np.isfinite([low, high]).all():
        return f"The images hold NaN or infinite values. {came} {expected}"
    fractions = bool(np.any(images != np.round(images)))
    if low < 0.0:
        # A resize by a cubic kernel overshoots by a tenth of the range.
        overshoots = low >= -32.0 and high > 32.0 and -low < high / 4
        if not overshoots:
            return (
                "The images are preprocessed already (they have negative "
                f"values), and the model would do it again. {came} "
                f"{expected} Remove `preprocess_input` or the "
                "normalisation from your pipeline."
            )
    if high <= 1.0 and fractions:
        return (
            "The images are scaled already, to 0..1, and the model would "
            f"scale them again. {came} {expected} Remove the rescaling from "
            "your pipeline."
        )
    if high > 255.0 + 32.0:
        return (
            f"The images have more than 8 bits. {came} {expected} Divide "
            "16-bit images by 257."
        )
    return None


def _fault_of_preprocessed(model, images, card) -> str | None:
    """What is wrong with what the encoder's network gets."""
    if card.preprocessing_output is None:
        values = np.asarray(images, "float32")
    else:
        preprocessing = keras.Model(
            model.input, model.get_layer(card.preprocessing_output).output
        )
        values = np.asarray(preprocessing(np.asarray(images), training=False))
    low, high = float(values.min()), float(values.max())
    trained_low, trained_high = card.trained_range
    width = trained_high - trained_low
    came = (
        f"The network of encoder {card.encoder!r} was trained on values from "
        f"{trained_low:.4g} to {trained_high:.4g}. After preprocessing it "
        f"would get {low:.4g} to {high:.4g}."
    )
    if low < trained_low - 0.2 * width or high > trained_high + 0.2 * width:
        return (
            f"Preprocessing is missing or wrong. {came} Check `preprocessing` "
            "and `trained_range` of the encoder."
        )
    raw = np.asarray(images, "float32")
    shown = (float(raw.max()) - float(raw.min())) / 255.0
    if shown > 0.0 and high - low < 0.1 * shown * width:
        return (
            f"Preprocessing is done twice. {came} That is a small part of "
            "the range for images that span "
            f"{100 * shown:.0f}% of theirs. Leave one of the two out."
        )
    return None
