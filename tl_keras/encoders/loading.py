"""Encoders by name."""

import os

from tl_keras import registry
from tl_keras.encoders import applications
from tl_keras.encoders import tiny
from tl_keras.encoders.encoder import Encoder


def _load_tiny(name, image_size, weights, *, channels, **options):
    if options:
        raise ValueError(
            f"{name} has no options. Got: {', '.join(options)}. Expected none."
        )
    return tiny.load(image_size, weights, channels=channels)


ENCODERS = registry.Registry("encoder")
for _name in applications.names():
    ENCODERS.add(_name, applications.load)
ENCODERS.add("tiny", _load_tiny)


def names() -> list[str]:
    """Names that `load` takes.

    Example:
        >>> import tl_keras
        >>> tl_keras.encoders.names()[-1]
        'tiny'
    """
    return ENCODERS.names()


def load(
    name: str,
    image_size: int | None = None,
    weights: str | os.PathLike | None = "imagenet",
    *,
    channels: int = 3,
    **options,
) -> Encoder:
    """A pretrained network without its head, from raw pixels to features.

    Args:
        name: A name of `keras.applications`, in upper or lower case (40
            models: see `names`), or "tiny", a small network whose weights come
            with this package.
        image_size: Height and width of the images, in pixels. None: the size
            that the network was made for.
        weights: "imagenet": those that Keras offers, downloaded once; for
            "tiny", those in the package. None: random ones. Else the path of a
            file with weights of this network without its top.
        channels: 3: RGB. 1: grey, which is repeated three times inside. 4:
            RGB and one more, for which the first convolution is widened by
            weights of zero, so that at first it changes nothing.
        **options: The network's own, e.g. `alpha=0.35` for MobileNetV2.

    Returns:
        An `Encoder`. Its `model` takes float32 or uint8 pixels in 0..255 and
        has the network's own preprocessing inside, exactly once; its `groups`
        are the architecture's own stages.

    Raises:
        ConnectionError: If ImageNet weights have to be downloaded and cannot.
            The message names the file and the place where it belongs.
        TypeError: If an argument has the wrong type.
        ValueError: If a name or an option is unknown, or `image_size` too
            small. Nothing has been built then.

    Example:
        >>> import tl_keras
        >>> encoder = tl_keras.encoders.load("tiny", image_size=32)
        >>> list(encoder.groups)
        ['stem', 'stage1', 'stage2', 'stage3']
        >>> encoder = tl_keras.encoders.load(
        ...     "MobileNetV2", image_size=96, weights=None, alpha=0.35
        ... )
        >>> encoder.model.output_shape
        (None, 3, 3, 1280)
    """
    prefix, colon, _ = str(name).partition(":")
    if colon:
        raise ValueError(
            f"There are no encoders from {prefix!r}. Got: {name!r}. Expected "
            "one of `tl_keras.encoders.names()`; for another Keras model use "
            "`tl_keras.encoders.from_model`."
        )
    return ENCODERS.find(name)(
        name, image_size, weights, channels=channels, **options
    )
