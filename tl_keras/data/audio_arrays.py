"""Checks of arrays that are to be clips of sound."""

import numpy as np

from tl_keras.data import examples

# Above it, floats are 16-bit samples that were not divided, or a mistake.
_LOUDEST = 1.5


def to_inputs(waveforms, split: str, sample_rate: int) -> examples.Waveforms:
    """Waveforms as they are kept, if that is what they are.

    Args:
        waveforms: Array-like `[examples, samples]` or `[examples, samples,
            channels]`: int16, or floats in -1..1.
        split: Name of the part, for errors.
        sample_rate: Samples per second, in Hz.

    Raises:
        ValueError: If they have another shape or dtype, or a value is out of
            range or not finite.
    """
    waveforms = _array(waveforms, split)
    if waveforms.ndim == 2:
        waveforms = waveforms[..., None]
    if waveforms.ndim != 3:
        raise ValueError(
            f"The waveforms of `{split}` have the wrong shape. Got: "
            f"{waveforms.shape}. Expected: (examples, samples) or (examples, "
            "samples, channels)."
        )
    if 0 in waveforms.shape:
        raise ValueError(
            f"The waveforms of `{split}` are empty. Got shape: "
            f"{waveforms.shape}. Leave the part out if there are none."
        )
    if waveforms.dtype == np.int16:
        return examples.Waveforms(waveforms, sample_rate)
    if waveforms.dtype.kind != "f":
        raise ValueError(
            f"The waveforms of `{split}` have the wrong dtype. Got: "
            f"{waveforms.dtype}. Expected int16, or floats in -1..1; divide "
            "integers by the largest that they can be."
        )
    _check_range(waveforms, split)
    return examples.Waveforms(
        waveforms.astype(np.float32, copy=False), sample_rate
    )


def _array(waveforms, split):
    try:
        return np.asarray(waveforms)
    except ValueError as error:
        raise ValueError(
            f"The waveforms of `{split}` are no array: {error}. Expected clips "
            "of one length; pad them with zeros at the end."
        ) from error


def _check_range(waveforms, split):
    # A comparison with NaN is False.
    fits = (np.abs(waveforms) <= _LOUDEST).all(axis=(1, 2))
    if not fits.all():
        first = fits.argmin()
        value = waveforms[first][~(np.abs(waveforms[first]) <= _LOUDEST)][0]
        raise ValueError(
            f"{(~fits).sum()} waveforms of `{split}` are out of range. The "
            f"first is at position {first}, with {value}. Expected finite "
            "values in -1..1; divide 16-bit samples by 32768."
        )
