"""What a sound file says of itself, without decoding it."""

import collections
import dataclasses
import io
import itertools
import os
import struct

from tl_keras.data import sound_formats

EXPECTED = "Expected a WAV, FLAC, OGG or MP3 sound file."
_PCM = 1
# More are no chunks, but zeros or noise behind the last one.
_MOST_CHUNKS = 1000

_Chunk = collections.namedtuple("_Chunk", "kind position num_bytes")


@dataclasses.dataclass(frozen=True)
class Header:
    """What a sound file holds.

    Attributes:
        sample_rate: Samples per second of each channel, in Hz.
        channels: Number of channels.
        num_samples: Samples of each channel.
        has_16_bits: Whether its samples are 16-bit integers.
        is_plain: Whether it is a WAV file of 16 bits as
            `tf.audio.decode_wav` reads it.
    """

    sample_rate: int
    channels: int
    num_samples: int
    has_16_bits: bool
    is_plain: bool = False


def read(value, name: str) -> Header:
    """Reads the header of a sound file.

    Args:
        value: Its path, or its content as `bytes`.
        name: How an error speaks of it.

    Raises:
        ValueError: If it is no sound file, holds no samples, or fewer than it
            says.
        ImportError: If reading it takes a package that is not installed.
    """
    with _opened(value) as file:
        form = format_of(file.read(12))
        if form is None:
            raise ValueError(
                f"{name} is no sound file. {EXPECTED} Remove or replace it."
            )
        header = _plain(file, name) if form == "WAV" else None
    header = header or Header(*sound_formats.measure(value, name, form))
    if not header.num_samples:
        raise ValueError(f"{name} holds no sound: 0 samples. Remove it.")
    return header


def format_of(start: bytes) -> str | None:
    """The name of the format that begins so, or None.

    Args:
        start: The file's first 12 bytes.

    Example:
        >>> from tl_keras.data import sound_headers
        >>> sound_headers.format_of(b"fLaC" + bytes(8))
        'FLAC'
    """
    if start[:4] + start[8:] == b"RIFFWAVE":
        return "WAV"
    if start.startswith(b"fLaC"):
        return "FLAC"
    if start.startswith(b"OggS"):
        return "OGG"
    # A tag, or eleven bits of synchronization and the number of the layer.
    is_frame = start[:1] == b"\xff" and start[1:2] and start[1] & 0xE6 == 0xE2
    return "MP3" if start.startswith(b"ID3") or is_frame else None


def _opened(value):
    return open(value, "rb") if isinstance(value, str) else io.BytesIO(value)


def _plain(file, name):
    """The header of a plain WAV file; None for another, which others read."""
    size = file.seek(0, os.SEEK_END)
    chunks = list(itertools.islice(_chunks(file, size), _MOST_CHUNKS))
    kinds = [chunk.kind for chunk in chunks]
    for kind in (b"fmt ", b"data"):
        if kind not in kinds:
            raise ValueError(
                f"{name} is no complete WAV file. Got the chunks: {kinds[:9]}. "
                f"Expected {kind} among them; replace the file."
            )
    form = chunks[kinds.index(b"fmt ")]
    sound = chunks[kinds.index(b"data")]
    there = size - sound.position
    if sound.num_bytes > there:
        raise ValueError(
            f"{name} is cut off, or its header was never completed: it says "
            f"{sound.num_bytes} bytes of sound and holds {there}. Write it "
            "anew, e.g. with `ffmpeg -i OLD.wav NEW.wav`, or replace it."
        )
    # TensorFlow does not know that chunks of odd length are padded, and wants
    # nothing behind the last one.
    is_plain = all(chunk.num_bytes % 2 == 0 for chunk in chunks)
    is_plain &= chunks[-1].position + chunks[-1].num_bytes == size
    is_plain &= kinds.count(b"fmt ") == kinds.count(b"data") == 1
    is_plain &= form.num_bytes in (16, 18) and form.position < sound.position
    return _pcm(file, form.position, sound.num_bytes) if is_plain else None


def _chunks(file, size):
    position = 12
    while position < size:
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
        yield _Chunk(kind, position + 8, length)
        position += 8 + length + length % 2


def _pcm(file, position, num_bytes):
    """The header that a format of 16 bits makes; None for other formats."""
    file.seek(position)
    code, channels, rate, bytes_per_second, align, bits = struct.unpack(
        "<HHIIHH", file.read(16)
    )
    is_pcm = (code, bits, align) == (_PCM, 16, 2 * channels)
    if not is_pcm or not channels or not rate or num_bytes % align:
        return None
    if bytes_per_second != rate * align:
        return None
    return Header(rate, channels, num_bytes // align, True, is_plain=True)
