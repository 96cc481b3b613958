"""Waveforms from one sample rate to another, in stock TensorFlow operations.

They run in `tf.data`, in a `tf.function` (compiled by XLA or not) and in an
exported SavedModel alike.
"""

import functools
import math

import numpy as np
import tensorflow as tf

from tl_keras import checks

# The filter's half length in samples of the lower rate, and its window: what
# `scipy.signal.resample_poly` takes if it is not told otherwise.
_HALF_LENGTH = 10
_KAISER_BETA = 5.0
# 64 MB of float32. Usual rates stay below a hundredth of it.
_LARGEST_KERNEL = 2**24
# Above, oneDNN asks for hundreds of gigabytes to convolve, and the process
# ends (TensorFlow 2.21). Windows and a product of matrices take more memory
# for small kernels, and about as much for large ones.
_LARGEST_CONVOLVED = 2**20


def resample(waveforms, from_rate: int, to_rate: int):
    """Resamples waveforms as `scipy.signal.resample_poly` does.

    What lies above the lower rate's Nyquist frequency is filtered out by a
    windowed sinc (Kaiser, beta 5). Only the samples that are kept are
    computed: with `up / down` the reduced ratio of the rates, one convolution
    gives `up` new samples for every `down` old ones. Beyond its ends a
    waveform is taken to be zero.

    In float32 arithmetic the two agree to about 1e-6. Where TensorFlow
    multiplies in TF32, as it may on a GPU, expect three digits.

    Args:
        waveforms: float32 `[..., samples]`; the length may be unknown until
            it runs.
        from_rate: Samples per second that they have, in Hz.
        to_rate: Samples per second to give them, in Hz.

    Returns:
        float32 `[..., num_samples_after(samples, from_rate, to_rate)]`.

    Raises:
        TypeError: If a rate is no integer, or the waveforms are no floats.
        ValueError: If a rate is below 1, or the ratio of the two is of such
            large numbers that the filters would take more than 64 MB.

    Example:
        >>> import tensorflow as tf
        >>> resample(tf.zeros([2, 44100]), 44100, 16000).shape.as_list()
        [2, 16000]
    """
    up, down = _ratio(from_rate, to_rate)
    waveforms = tf.convert_to_tensor(waveforms)
    if not waveforms.dtype.is_floating:
        raise TypeError(
            f"`waveforms` must be floats in -1..1. Got: {waveforms.dtype.name}."
            " Divide 16-bit samples by 32768."
        )
    waveforms = tf.cast(waveforms, tf.float32)
    if up == down:
        return waveforms
    kernel, before = _kernel(up, down)
    leading = waveforms.shape[:-1]
    length = _length(waveforms)
    flat = tf.reshape(waveforms, [_num_waveforms(waveforms), length])
    # A whole number of strides: block b begins at old sample b * down.
    num_blocks = -(-length // down)
    covered = (num_blocks - 1) * down + len(kernel)
    after = covered - before - length
    padded = tf.pad(flat, [[0, 0], [before, after]])
    if kernel.size > _LARGEST_CONVOLVED:
        blocks = tf.signal.frame(padded, len(kernel), down) @ kernel
    else:
        blocks = tf.nn.conv1d(
            padded[..., None], kernel[:, None], stride=down, padding="VALID"
        )
    # Of a window that is shorter than the kernel, some convolutions give one.
    blocks = blocks[:, :num_blocks]
    resampled = tf.reshape(blocks, [tf.shape(flat)[0], num_blocks * up])
    new_length = _num_samples(length, up, down)
    resampled = tf.reshape(
        resampled[:, :new_length],
        tf.concat([tf.shape(waveforms)[:-1], [new_length]], 0),
    )
    static = new_length if isinstance(new_length, int) else None
    return tf.ensure_shape(resampled, [*leading, static])


def resample_any(waveforms, from_rate, to_rate: int):
    """What `resample` does, at a rate that is known only when it runs.

    Several times slower, since the filter is made each time.

    Args:
        waveforms: float32 `[..., samples]`.
        from_rate: int32 scalar tensor: samples per second that they have, in
            Hz.
        to_rate: Samples per second to give them, in Hz.

    Returns:
        float32 `[..., samples]`.

    Raises:
        tf.errors.InvalidArgumentError: If there is no simple ratio between
            the rates, as in `resample`.

    Example:
        >>> import tensorflow as tf
        >>> rate = tf.constant(44100)
        >>> resample_any(tf.zeros([2, 44100]), rate, 16000).shape.as_list()
        [2, 16000]
    """
    checks.integer(to_rate, name="to_rate", low=1)
    waveforms = tf.cast(waveforms, tf.float32)
    from_rate = tf.convert_to_tensor(from_rate, tf.int32)
    return tf.cond(
        tf.equal(from_rate, to_rate),
        lambda: waveforms,
        lambda: _resample_any(waveforms, from_rate, to_rate),
    )


def num_samples_after(num_samples: int, from_rate: int, to_rate: int) -> int:
    """How many samples `resample` gives: the ratio's share, rounded up.

    Example:
        >>> num_samples_after(100, 44100, 16000)
        37
    """
    checks.integer(num_samples, name="num_samples")
    return _num_samples(num_samples, *_ratio(from_rate, to_rate))


def _ratio(from_rate, to_rate):
    """The reduced ratio `up, down` of two sample rates."""
    checks.integer(from_rate, name="from_rate", low=1)
    checks.integer(to_rate, name="to_rate", low=1)
    divisor = math.gcd(from_rate, to_rate)
    up, down = to_rate // divisor, from_rate // divisor
    before, last = _reach(up, down)
    if (before + last + 1) * up > _LARGEST_KERNEL:
        raise ValueError(
            f"There is no simple ratio between {from_rate} Hz and {to_rate} "
            f"Hz. Got, reduced: {down}:{up}. Expected smaller numbers, as "
            "44100 Hz and 16000 Hz have with 441:160; choose a multiple or a "
            "simple fraction of the given rate."
        )
    return up, down


def _num_samples(num_samples, up, down):
    # Whole blocks first: ten minutes times `up` is more than an int32 holds.
    blocks, rest = num_samples // down, num_samples % down
    return blocks * up + -(-rest * up // down)


def _length(waveforms):
    static = waveforms.shape[-1]
    return tf.shape(waveforms)[-1] if static is None else static


def _num_waveforms(waveforms):
    """How many waveforms there are, also where they have no samples."""
    leading = waveforms.shape[:-1]
    if leading.is_fully_defined():
        return leading.num_elements()
    return tf.reduce_prod(tf.shape(waveforms)[:-1])


@functools.lru_cache(maxsize=16)
def _kernel(up, down):
    """The filters of `up` outputs, one per column, and where they begin.

    New sample b * up + r is the sum over j of taps[middle + r * down - j * up]
    times old sample b * down + j. Column r holds the factors of all the j at
    which any column has one.

    Returns:
        float32 array `[length, up]`, and how many samples before the block's
        first one its first row stands.
    """
    middle = _HALF_LENGTH * max(up, down)
    before, last = _reach(up, down)
    offsets = np.arange(-before, last + 1)
    index = middle + np.arange(up) * down - offsets[:, None] * up
    taps = _low_pass(middle, 1 / max(up, down)) * up
    inside = (index >= 0) & (index < len(taps))
    kernel = np.where(inside, taps[index.clip(0, len(taps) - 1)], 0.0)
    return kernel.astype(np.float32), before


def _reach(up, down):
    """How many old samples before and after a block's first one it uses."""
    middle = _HALF_LENGTH * max(up, down)
    return middle // up, (middle + (up - 1) * down) // up


def _low_pass(middle, cutoff):
    """A windowed sinc of `2 * middle + 1` taps that sum to 1."""
    taps = np.sinc(cutoff * np.arange(-middle, middle + 1))
    taps *= np.kaiser(2 * middle + 1, _KAISER_BETA)
    return taps / taps.sum()


def _resample_any(waveforms, from_rate, to_rate):
    message = tf.strings.join(
        [
            "There is no simple ratio between ",
            tf.strings.as_string(from_rate),
            f" Hz and the {to_rate} Hz of the model. Expected a usual rate, "
            "such as 16000, 44100 or 48000 Hz.",
        ]
    )
    # Before the greatest common divisor, which needs a positive number.
    in_range = tf.debugging.Assert(from_rate > 0, [message])
    with tf.control_dependencies([in_range]):
        divisor = _greatest_common_divisor(tf.identity(from_rate), to_rate)
    up, down = to_rate // divisor, from_rate // divisor
    # In float64: the product of two large rates is more than an int32 holds.
    weights = tf.cast(2 * _HALF_LENGTH + 1, tf.float64) * tf.cast(
        tf.maximum(up, down), tf.float64
    ) + tf.cast(up, tf.float64) * tf.cast(down, tf.float64)
    simple = tf.debugging.Assert(weights <= _LARGEST_KERNEL, [message])
    with tf.control_dependencies([simple]):
        kernel, before = _kernel_any(tf.identity(up), tf.identity(down))
    length = tf.shape(waveforms)[-1]
    num_blocks = -(-length // down)
    rows = tf.shape(kernel)[0]
    after = tf.maximum((num_blocks - 1) * down + rows - before - length, 0)
    flat = tf.reshape(waveforms, [_num_waveforms(waveforms), length])
    padded = tf.pad(flat, [[0, 0], [before, after]])
    blocks = tf.matmul(
        tf.signal.frame(padded, rows, down)[:, :num_blocks], kernel
    )
    resampled = tf.reshape(blocks, [tf.shape(flat)[0], num_blocks * up])
    new_length = _num_samples(length, up, down)
    return tf.reshape(
        resampled[:, :new_length],
        tf.concat([tf.shape(waveforms)[:-1], [new_length]], 0),
    )


def _greatest_common_divisor(first, second):
    divisor, _ = tf.while_loop(
        lambda a, b: b > 0,
        lambda a, b: (b, a % b),
        [first, tf.constant(second, tf.int32)],
    )
    return divisor


def _kernel_any(up, down):
    """`_kernel` as operations of TensorFlow."""
    longest = tf.maximum(up, down)
    middle = _HALF_LENGTH * longest
    before, last = middle // up, (middle + (up - 1) * down) // up
    offsets = tf.range(-before, last + 1)
    index = middle + tf.range(up) * down - offsets[:, None] * up
    places = tf.cast(tf.range(-middle, middle + 1), tf.float64)
    within = tf.cast(longest, tf.float64)
    angles = places * (math.pi / within)
    taps = tf.math.divide_no_nan(tf.sin(angles), angles)
    taps = tf.where(places == 0, tf.ones_like(taps), taps)
    share = places / tf.cast(middle, tf.float64)
    taps *= tf.math.bessel_i0(_KAISER_BETA * tf.sqrt(1 - share**2))
    taps *= tf.cast(up, tf.float64) / tf.reduce_sum(taps)
    inside = (index >= 0) & (index <= 2 * middle)
    kernel = tf.where(
        inside,
        tf.gather(taps, tf.clip_by_value(index, 0, 2 * middle)),
        tf.zeros([], tf.float64),
    )
    return tf.cast(kernel, tf.float32), before
