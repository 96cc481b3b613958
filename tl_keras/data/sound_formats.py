"""Sound files other than WAV of 16 bits, read by the package soundfile."""

import io

import numpy as np


def measure(value, name: str, form: str):
    """What a sound file holds, without decoding it.

    Args:
        value: Its path, or its content as `bytes`.
        name: How an error speaks of it.
        form: Its format, for the error.

    Returns:
        Sample rate in Hz, number of channels, samples of each channel, and
        whether these are 16-bit integers.

    Raises:
        ImportError: If soundfile is not installed.
        ValueError: If soundfile cannot read it.
    """
    soundfile = _soundfile(name, form)
    try:
        info = soundfile.info(
            value if isinstance(value, str) else io.BytesIO(value)
        )
    except RuntimeError as error:
        raise ValueError(
            f"{name} cannot be read as {form}: {error}. Remove or replace it."
        ) from error
    has_16_bits = info.subtype == "PCM_16"
    return info.samplerate, info.channels, info.frames, has_16_bits


def decode(encoded: bytes) -> np.ndarray:
    """Decodes the content of a sound file that `measure` has read.

    Returns:
        float32 array `[samples, channels]`, integers scaled to -1..1.

    Raises:
        RuntimeError: If soundfile cannot read it.
        ValueError: If there is NaN or infinity in it.
    """
    import soundfile

    waveform, _ = soundfile.read(
        io.BytesIO(encoded), dtype="float32", always_2d=True
    )
    if not np.isfinite(waveform).all():
        raise ValueError("There is NaN or infinity among the samples.")
    return waveform


def _soundfile(name, form):
    try:
        import soundfile
    # An OSError where the library that it wraps is missing.
    except (ImportError, OSError) as error:
        kind = "WAV (not 16-bit PCM)" if form == "WAV" else form
        raise ImportError(
            f"{name} is {kind}, and to read it takes the package soundfile: "
            f'{error}. Run `pip install "tl_keras[audio]"`, or convert the '
            "files to WAV with 16 bits."
        ) from error
    return soundfile
