"""Decides the form of clips and where they are kept, and decodes them."""

import concurrent.futures
import functools
import math

import tensorflow as tf

from tl_keras import input_specs
from tl_keras import resampling
from tl_keras.data import audio
from tl_keras.data import examples as examples_
from tl_keras.data import memory
from tl_keras.data import reading
from tl_keras.data import sound_formats
from tl_keras.data import sound_headers


def prepare(splits, choices):
    """Readers of batches for the clips of examples.

    Clips are kept decoded where they fit: as 16-bit integers where that is
    exact, else as float32. Whether they are kept changes the time, never the
    values.

    Args:
        splits: Dict of split name to `Waveforms` or `Encoded`.
        choices: A `Choices`. `sample_rate` None stands for the one that all
            clips have, `channels` None for the number that all have, and 1
            where they differ; `seconds` None for the longest training clip.
            With `cache`, "auto" keeps decoded clips in memory if all splits
            together take at most a quarter of what is available.

    Returns:
        Dict of split name to reader, and an `AudioSpec` of what they read.

    Raises:
        ValueError: If a clip cannot be decoded, has no samples, or has
            channels that cannot be converted (the message names it); or if
            `sample_rate` is None and the clips differ in it.
        ImportError: If reading a clip takes a package that is not installed.
    """
    headers = {split: _headers(inputs) for split, inputs in splits.items()}
    spec = _spec(splits, headers, choices)
    if isinstance(splits["train"], examples_.Waveforms):
        return {s: _of_arrays(clips, spec) for s, clips in splits.items()}, spec
    kept_as = tf.int16 if _are_exact(headers, spec) else tf.float32
    count = sum(map(len, splits.values()))
    num_bytes = count * math.prod(spec.shape) * kept_as.size
    keep = memory.should_keep(num_bytes, choices.cache)
    readers = {}
    for split, clips in splits.items():
        dtype = kept_as if keep else tf.float32
        reader = _on_the_fly(clips, headers[split], spec, dtype)
        readers[split] = _in_memory(reader) if keep else reader
    return readers, spec


def _headers(inputs):
    """What each clip holds; arrays are alike, and one is enough."""
    if isinstance(inputs, examples_.Waveforms):
        num_samples, channels = inputs.array.shape[1:]
        header = sound_headers.Header(
            inputs.sample_rate, channels, num_samples, has_16_bits=False
        )
        return [header]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(sound_headers.read, inputs.values, inputs.names))


def _spec(splits, headers, choices):
    named = [
        (_name(splits[split], index, split), header)
        for split in splits
        for index, header in enumerate(headers[split])
    ]
    sample_rate = choices.sample_rate or _common_rate(named)
    for rate in {header.sample_rate for _, header in named}:
        # Rates without a simple ratio are refused here, not while training.
        resampling.num_samples_after(0, rate, sample_rate)
    return input_specs.AudioSpec(
        sample_rate=sample_rate,
        num_samples=_num_samples(headers["train"], sample_rate, choices),
        channels=_channels(named, choices),
    )


def _name(inputs, index, split):
    if isinstance(inputs, examples_.Waveforms):
        return f"`{split}`"
    return inputs.names[index]


def _common_rate(named):
    first_name, first = named[0]
    for name, header in named:
        if header.sample_rate != first.sample_rate:
            raise ValueError(
                f"The clips differ in sample rate. Got: {first.sample_rate} Hz "
                f"in {first_name}, {header.sample_rate} Hz in {name}. Pass "
                "`sample_rate=`, to which they are resampled."
            )
    return first.sample_rate


def _num_samples(headers, sample_rate, choices):
    if choices.seconds is None:
        return max(
            resampling.num_samples_after(
                header.num_samples, header.sample_rate, sample_rate
            )
            for header in headers
        )
    num_samples = round(choices.seconds * sample_rate)
    if num_samples < 1:
        raise ValueError(
            f"`seconds` is too short. Got: {choices.seconds}, less than one "
            f"sample at {sample_rate} Hz."
        )
    return num_samples


def _channels(named, choices):
    given = {header.channels for _, header in named}
    if choices.channels is None:
        return given.pop() if len(given) == 1 else 1
    convertible = (1, choices.channels)
    for name, header in named:
        if choices.channels > 1 and header.channels not in convertible:
            raise ValueError(
                f"{name} has {header.channels} channels. Got: channels="
                f"{choices.channels}. Expected 1, to which they are mixed, or "
                "the number that the clips have."
            )
    return choices.channels


def _are_exact(headers, spec):
    """Whether 16-bit integers hold what is read without a loss."""
    return all(
        header.has_16_bits
        and header.sample_rate == spec.sample_rate
        and header.channels in (1, spec.channels)
        for part in headers.values()
        for header in part
    )


def _of_arrays(clips, spec):
    def finish(batch):
        return audio.to_clips(audio.to_float(batch), clips.sample_rate, spec)

    return reading.InMemory(reading.constant(clips.array), finish)


def _in_memory(reader):
    clips = reading.constant(reading.read_all(reader))
    return reading.InMemory(clips, audio.to_float)


def _on_the_fly(clips, headers, spec, dtype):
    content = reading.contents(clips.values, are_paths=clips.are_paths)
    rates = sorted({header.sample_rate for header in headers})
    rate_of = reading.constant([rates.index(h.sample_rate) for h in headers])
    is_plain = reading.constant([header.is_plain for header in headers])
    all_are_plain = all(header.is_plain for header in headers)

    def decode(index):
        encoded = content(index)
        plain = functools.partial(_decode_plain, encoded)
        if all_are_plain:
            waveform = plain()
        else:
            waveform = tf.cond(
                tf.gather(is_plain, index),
                plain,
                functools.partial(_decode_other, encoded),
            )
        clip = tf.switch_case(
            tf.gather(rate_of, index),
            [
                functools.partial(audio.to_clips, waveform, rate, spec)
                for rate in rates
            ],
        )
        return audio.to_int16(clip) if dtype == tf.int16 else clip

    return reading.OnTheFly(
        decode,
        names=reading.constant(clips.names, tf.string),
        expected=sound_headers.EXPECTED,
        shape=spec.shape,
        dtype=dtype,
    )


def _decode_plain(encoded):
    return audio.decode(encoded)[0]


def _decode_other(encoded):
    waveform = tf.numpy_function(sound_formats.decode, [encoded], tf.float32)
    return tf.ensure_shape(waveform, [None, None])
