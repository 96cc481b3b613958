"""Made-up requests, by which a served model is warmed up and checked.

None of a user's data are in them: an export may go where these may not.
"""

import numpy as np
import tensorflow as tf

from tl_keras import cards

COUNT = 7
# Where any size is taken: small, and not square.
_HEIGHT_PX, _WIDTH_PX = 48, 64
_TEXTS = (
    "A film that stays with you for days.",
    "The plot makes no sense, and the ending even less.",
    "Delivered on time; the box was damaged.",
    "",
    "Ist das wirklich so gut, wie alle sagen?",
    "one two three four five six seven eight nine ten",
    "Schön & günstig: 5 € - 😀",
)


def encoded(model, inputs) -> list[bytes]:
    """Strings as `serving_default` takes them.

    Args:
        model: The model that is served.
        inputs: Its `Inputs`.

    Returns:
        `COUNT` images (PNG and JPEG), WAV files or texts, as bytes; the same
        each time.
    """
    if inputs.kind == "text":
        return [text.encode() for text in _TEXTS]
    if inputs.kind == "audio":
        return _clips(cards.of(model).input_spec)
    return [
        _encoded_image(image, number % 2 == 1)
        for number, image in enumerate(_images(inputs))
    ]


def raw(model, inputs) -> np.ndarray:
    """One example `[1, ...]` as the signature for raw arrays takes it."""
    if inputs.kind == "audio":
        spec = cards.of(model).input_spec
        wave = _waves(spec, _length(spec))[:1]
        return wave[..., 0] if spec.channels == 1 else wave
    return _images(inputs)[:1]


def _images(inputs) -> np.ndarray:
    """Smooth patterns, uint8."""
    height, width, channels = inputs.raw.shape[1:]
    height, width = height or _HEIGHT_PX, width or _WIDTH_PX
    random = np.random.default_rng(0)
    coarse = random.uniform(0, 255, (COUNT, 5, 5, channels))
    smooth = tf.image.resize(coarse, [height, width], method="bicubic")
    return tf.saturate_cast(tf.round(smooth), tf.uint8).numpy()


def _encoded_image(image, as_jpeg: bool) -> bytes:
    if as_jpeg and image.shape[-1] in (1, 3):
        return tf.io.encode_jpeg(image, quality=90).numpy()
    return tf.io.encode_png(image).numpy()


def _clips(spec) -> list[bytes]:
    length = _length(spec)
    forms = [(length, spec.sample_rate)] * COUNT
    if spec.num_samples is not None:
        # Other lengths and rates than the model's are brought to these.
        forms[1] = (2 * length, spec.sample_rate)
        forms[2] = (max(1, length // 2), spec.sample_rate)
        forms[3] = (length, 2 * spec.sample_rate)
    return [
        tf.audio.encode_wav(_waves(spec, samples)[number], rate).numpy()
        for number, (samples, rate) in enumerate(forms)
    ]


def _length(spec) -> int:
    return spec.num_samples or spec.sample_rate


def _waves(spec, num_samples: int) -> np.ndarray:
    """Two tones and noise in each, float32 `[count, samples, channels]`."""
    random = np.random.default_rng(0)
    seconds = np.arange(num_samples)[:, None] / spec.sample_rate
    tones = random.uniform(0.01, 0.2, (COUNT, 2, 1, spec.channels))
    cycles = tones * spec.sample_rate * seconds
    waves = 0.3 * np.sin(2 * np.pi * cycles).sum(axis=1)
    waves += random.normal(0, 0.05, waves.shape)
    return np.clip(waves, -1, 1).astype(np.float32)
