"""Decoding of sound and its form, the same for training and for serving.

All of these are stock TensorFlow operations, which run in `tf.data`, in a
`tf.function` and in an exported SavedModel alike.
"""

import tensorflow as tf

from tl_keras import checks
from tl_keras import resampling

_INT16_SCALE = 1 / 32768


def decode(encoded):
    """Decodes the bytes of a WAV file of 16 bits (PCM).

    Args:
        encoded: String scalar: the bytes of one file.

    Returns:
        float32 waveform `[samples, channels]` in -1..1 (integers divided by
        32768), and int32 scalar: its sample rate in Hz.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no such file.

    Example:
        >>> import tensorflow as tf
        >>> from tl_keras.data import audio
        >>> wav = tf.audio.encode_wav(tf.zeros([400, 2]), 8000)
        >>> waveform, sample_rate = audio.decode(wav)
        >>> tuple(waveform.shape), int(sample_rate)
        ((400, 2), 8000)
    """
    return tf.audio.decode_wav(encoded)


def to_clips(waveforms, sample_rate: int, input_spec):
    """Brings waveforms into the form that an `AudioSpec` asks for.

    Channels first (see `convert_channels`), then the sample rate (see
    `resampling.resample`), then the length (see `set_length`).

    Args:
        waveforms: float32 `[..., samples, channels]`.
        sample_rate: Their samples per second, in Hz.
        input_spec: An `AudioSpec`. With `num_samples` None, the length is
            that of the resampled waveforms.

    Returns:
        float32 `[..., *input_spec.shape]`.

    Example:
        >>> import tensorflow as tf
        >>> from tl_keras import input_specs
        >>> from tl_keras.data import audio
        >>> spec = input_specs.AudioSpec(sample_rate=16000, num_samples=8000)
        >>> audio.to_clips(tf.zeros([1000, 2]), 8000, spec).shape.as_list()
        [8000]
    """
    waveforms = convert_channels(waveforms, input_spec.channels)
    if sample_rate != input_spec.sample_rate:
        waveforms = tf.linalg.matrix_transpose(
            resampling.resample(
                tf.linalg.matrix_transpose(waveforms),
                sample_rate,
                input_spec.sample_rate,
            )
        )
    if input_spec.num_samples is not None:
        waveforms = set_length(waveforms, input_spec.num_samples)
    return waveforms[..., 0] if input_spec.channels == 1 else waveforms


def convert_channels(waveforms, channels: int):
    """Mixes channels to one (their mean), or repeats the one there is.

    Args:
        waveforms: float32 `[..., samples, channels]`; the number of channels
            may be unknown until it runs.
        channels: How many to give them, at least 1: 1, the number they have,
            or any if they have one.

    Returns:
        float32 `[..., samples, channels]`.

    Raises:
        ValueError: If several channels would become other several channels.
            An `InvalidArgumentError` if that is found when it runs.

    Example:
        >>> from tl_keras.data import audio
        >>> audio.convert_channels([[0.25, 0.75]], 1).numpy().tolist()
        [[0.5]]
    """
    checks.integer(channels, name="channels", low=1)
    waveforms = tf.convert_to_tensor(waveforms)
    given = waveforms.shape[-1]
    if given == channels:
        return waveforms
    if channels == 1:
        return tf.reduce_mean(waveforms, axis=-1, keepdims=True)
    if given not in (None, 1):
        raise ValueError(
            f"{given} channels cannot become {channels}. Expected `channels` "
            f"to be 1, their mean, or {given}."
        )
    shape = tf.concat([tf.shape(waveforms)[:-1], [channels]], 0)
    return tf.broadcast_to(waveforms, shape)


def set_length(waveforms, num_samples: int):
    """Cuts waveforms at the end, or adds zeros there.

    Args:
        waveforms: `[..., samples, channels]`.
        num_samples: Length to give them, at least 1.

    Returns:
        `[..., num_samples, channels]`.

    Example:
        >>> from tl_keras.data import audio
        >>> audio.set_length([[0.5], [0.25]], 3).numpy()[:, 0].tolist()
        [0.5, 0.25, 0.0]
    """
    checks.integer(num_samples, name="num_samples", low=1)
    waveforms = tf.convert_to_tensor(waveforms)[..., :num_samples, :]
    missing = num_samples - tf.shape(waveforms)[-2]
    paddings = [[0, 0]] * (waveforms.shape.rank - 2) + [[0, missing], [0, 0]]
    shape = [*waveforms.shape[:-2], num_samples, waveforms.shape[-1]]
    return tf.ensure_shape(tf.pad(waveforms, paddings), shape)


def to_float(waveforms):
    """Waveforms as float32 in -1..1: 16-bit integers are divided by 32768."""
    if waveforms.dtype == tf.int16:
        return tf.cast(waveforms, tf.float32) * _INT16_SCALE
    return tf.cast(waveforms, tf.float32)


def to_int16(waveforms):
    """The 16-bit integers that waveforms were decoded from; see `to_float`."""
    return tf.cast(tf.round(waveforms / _INT16_SCALE), tf.int16)
