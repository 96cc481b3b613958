"""What a model takes: images, texts or clips of sound, as a value.

An encoder says what it takes, data say what they give, and a model carries the
value in its card, so that whatever reads a file for the model reads it alike.
"""

import dataclasses

from tl_keras import checks

IMAGE_CHANNELS = (1, 3, 4)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """Square images, pixels in 0..255, float32 or uint8.

    Attributes:
        size: Height and width in pixels.
        channels: 1 (grey), 3 (RGB) or 4 (RGB and one more).

    Example:
        >>> ImageSpec(size=96).shape
        (96, 96, 3)
    """

    size: int
    channels: int = 3

    kind = "image"
    dtype = "float32"

    def __post_init__(self):
        checks.integer(self.size, name="image_size", low=1)
        checks.one_of(self.channels, IMAGE_CHANNELS, name="channels")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image: `(size, size, channels)`."""
        return (self.size, self.size, self.channels)

    def __str__(self):
        return f"images of {self.size} px with {self.channels} channels"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextSpec:
    """Texts, each a string in UTF-8.

    Example:
        >>> TextSpec().shape, TextSpec().dtype
        ((), 'string')
    """

    kind = "text"
    dtype = "string"
    shape = ()

    def __str__(self):
        return "texts"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AudioSpec:
    """Clips of sound as waveforms, float32 in -1..1.

    Attributes:
        sample_rate: Samples per second of each channel, in Hz.
        num_samples: Length of every clip in samples, or None for any length.
        channels: Number of channels; 1 is mono.

    Example:
        >>> AudioSpec(sample_rate=8000, num_samples=4000).seconds
        0.5
    """

    sample_rate: int
    num_samples: int | None
    channels: int = 1

    kind = "audio"
    dtype = "float32"

    def __post_init__(self):
        checks.integer(self.sample_rate, name="sample_rate", low=1)
        if self.num_samples is not None:
            checks.integer(self.num_samples, name="num_samples", low=1)
        checks.integer(self.channels, name="channels", low=1)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of one clip: `(num_samples,)`, or with several channels
        `(num_samples, channels)`."""
        if self.channels == 1:
            return (self.num_samples,)
        return (self.num_samples, self.channels)

    @property
    def seconds(self) -> float | None:
        """Length of every clip in seconds, or None for any length."""
        if self.num_samples is None:
            return None
        return self.num_samples / self.sample_rate

    def __str__(self):
        length = "any length" if self.seconds is None else f"{self.seconds:g} s"
        channels = "1 channel"
        if self.channels > 1:
            channels = f"{self.channels} channels"
        return f"clips of {length} at {self.sample_rate} Hz with {channels}"


InputSpec = ImageSpec | TextSpec | AudioSpec
SPECS = (ImageSpec, TextSpec, AudioSpec)

_KINDS = {spec.kind: spec for spec in SPECS}


def as_dict(spec: InputSpec) -> dict:
    """The spec as strings and numbers, ready for JSON.

    Example:
        >>> as_dict(TextSpec())
        {'kind': 'text'}
    """
    return {"kind": spec.kind, **dataclasses.asdict(spec)}


def from_dict(values: dict) -> InputSpec:
    """The spec that `as_dict` wrote.

    Raises:
        ValueError: If there is no such kind.

    Example:
        >>> from_dict(as_dict(ImageSpec(size=32))).size
        32
    """
    fields = dict(values)
    kind = checks.one_of(fields.pop("kind", None), _KINDS, name="kind of input")
    return _KINDS[kind](**fields)
