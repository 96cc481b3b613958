"""Encoders from TF Hub modules and other SavedModels: `hub:HANDLE`."""

import os

import keras

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.encoders import channels as channels_lib
from tl_keras.encoders import handles
from tl_keras.encoders import modules
from tl_keras.encoders import preprocessing
from tl_keras.encoders.encoder import Encoder
from tl_keras.encoders.hub_encoder import HubEncoder
from tl_keras.encoders.waveforms import Waveform

_IMAGE_SIZE_PX = 224
_SAMPLE_RATE_HZ = 16_000
# What modules call the one output that stands for the whole input.
_USUAL_OUTPUTS = ("default", "pooled_output", "feature_vector", "embeddings")


def load(
    name: str,
    image_size: int | None = None,
    weights: str | os.PathLike | None = "imagenet",
    *,
    channels: int = 3,
    input_spec: input_specs.AudioSpec | None = None,
    preprocessor: str | None = None,
    input_range: tuple[float, float] | None = None,
    sample_rate: int | None = None,
    signature: str | None = None,
    output_key: str | int | None = None,
    arguments: dict | None = None,
    tags: list[str] | None = None,
) -> Encoder:
    """A TF Hub module, or another TF2 SavedModel, as an encoder.

    What the module takes is read off its signature: images `[batch, height,
    width, channels]`, strings `[batch]`, or waveforms `[batch, samples]`,
    `[batch, samples, 1]` or, one clip at a time as YAMNet does, `[samples]`.
    Frame embeddings of a clip are averaged to one vector.

    Args:
        name: "hub:" and a handle: the path of a SavedModel's folder or of a
            .tar.gz of one, an https address of TF Hub or Kaggle, or
            "kaggle:OWNER/MODEL/tensorFlow2/VARIATION/VERSION".
        image_size: Of the images, in pixels. None: the size that the module
            takes, or 224 if it takes any.
        weights: "imagenet", for the module's own: it has no others.
        channels: Of the images: 3, or 1 for grey ones, which are repeated for
            a module that takes RGB.
        input_spec: What the clips are, for a module that takes sound. None:
            clips of any length at the module's own sample rate.
        preprocessor: Handle of the module that makes the input of this one
            from strings, for text encoders that come as a pair.
        input_range: What black and white are to the module, for images.
            None: (0, 1), by TF Hub's convention, or (0, 255) for a module
            that takes uint8.
        sample_rate: The sample rate that the module takes, in Hz, for sound.
            None: 16000, as YAMNet and most speech models.
        signature: Name of the signature to call; see `HubEncoder`.
        output_key: Name or position of the output to take. None: the only
            one, or one of "default", "pooled_output", "feature_vector" and
            "embeddings", or the second of three as YAMNet has them.
        arguments: Further arguments of the module's call by name.
        tags: Which graph to load of a SavedModel with several.

    Returns:
        An `Encoder` whose groups are the module's parts.

    Raises:
        FileNotFoundError: If there is no SavedModel.
        ConnectionError: If it has to be fetched and cannot.
        TypeError, ValueError: If it cannot be loaded, or an option does not
            fit what it takes or returns.
    """
    if weights != "imagenet":
        raise ValueError(
            f"A module brings its own weights. Got: weights={weights!r} for "
            f"{name!r}. Leave `weights` out."
        )
    handle = name.partition(":")[2]
    short = handles.short_name(handle)
    options = {
        "signature": signature,
        "output_key": output_key,
        "arguments": arguments,
        "tags": tags,
    }
    layer = HubEncoder(handle, name=_layer_name(short), **options)
    kind = _kind(layer, preprocessor)
    given = {
        "image_size": image_size,
        "input_range": input_range,
        "input_spec": input_spec,
        "sample_rate": sample_rate,
    }
    _check_options(
        handle,
        kind,
        {name for name, value in given.items() if value is not None},
    )
    layer.output_key = _output_key(layer)
    if kind == "image":
        spec, fields = _images(layer, image_size, channels, input_range)
    elif kind == "text":
        spec, fields = _texts(layer, preprocessor)
    else:
        spec, fields = _sounds(layer, input_spec, sample_rate)
    return Encoder(
        name=short,
        groups={part: (f"{layer.name}/{part}",) for part in layer.parts},
        input_spec=spec,
        **fields,
    )


def _layer_name(short: str) -> str:
    # Whatever the module is called, no other layer is called like that.
    return f"module_{short.replace('.', '_')}"


def _kind(layer, preprocessor) -> str:
    """What a module takes: "image", "text" or "audio"."""
    form = layer.input_forms[0]
    if preprocessor is not None:
        return "text"
    if isinstance(form, (dict, list, tuple)):
        raise ValueError(
            f"The module {layer.handle!r} takes several inputs: "
            f"{modules.describe(form)}. If these are tokens of a text, pass "
            "the handle of the module that makes them from strings: "
            "`preprocessor=HANDLE`."
        )
    rank = form.shape.rank
    if form.dtype == "string" and rank in (0, 1):
        layer.per_example = rank == 0
        return "text"
    if rank == 4 and form.shape[3] in (1, 3, None):
        return "image"
    mono = rank == 3 and form.shape[2] == 1
    if form.dtype.is_floating and (rank in (1, 2) or mono):
        layer.per_example = rank == 1
        return "audio"
    raise ValueError(
        f"The module {layer.handle!r} takes neither images nor strings nor "
        f"waveforms. Got: {modules.describe(form)}. Expected [batch, height, "
        "width, 1 or 3], strings [batch], or floats [samples], [batch, "
        "samples] or [batch, samples, 1]. Another signature of it may fit: "
        "pass `signature`. Otherwise put `tl_keras.encoders.HubEncoder` into "
        "a model of your own."
    )


def _check_options(handle, kind, given):
    allowed = {
        "image": {"image_size", "input_range"},
        "text": set(),
        "audio": {"input_spec", "sample_rate"},
    }
    strange = sorted(given - allowed[kind])
    if strange:
        raise ValueError(
            f"The module {handle!r} takes {kind}. Got the options {strange}, "
            "which are for others. Leave them out, or choose data of "
            f"{kind} for it."
        )


def _output_key(layer) -> str | int | None:
    """Which output of a module stands for the whole input."""
    outputs = layer.output_form
    if not isinstance(outputs, (dict, list, tuple)):
        if layer.output_key is not None:
            raise ValueError(
                f"The module {layer.handle!r} has one output. Got: output_key="
                f"{layer.output_key!r}. Leave it out."
            )
        return None
    # The order in which a file gives names is not always the same.
    by_name = isinstance(outputs, dict)
    keys = sorted(outputs) if by_name else list(range(len(outputs)))
    if layer.output_key is not None:
        return checks.one_of(layer.output_key, keys, name="output_key")
    usual = [key for key in _USUAL_OUTPUTS if key in keys]
    if usual or len(keys) == 1:
        return usual[0] if usual else keys[0]
    if layer.per_example and len(keys) == 3 and not by_name:
        return 1  # YAMNet's scores, embeddings, spectrogram.
    raise ValueError(
        f"The module {layer.handle!r} has several outputs. Got: "
        f"{modules.describe(outputs)}. Choose one by `output_key`, one of: "
        f"{', '.join(map(repr, keys))}."
    )


def _images(layer, image_size, channels, input_range):
    form = layer.input_forms[0]
    height, width, module_channels = form.shape[1:]
    fixed = height if height is not None else width
    if None not in (height, width) and height != width:
        raise ValueError(
            f"The module {layer.handle!r} takes images that are not square. "
            f"Got: {height} x {width}. Put `tl_keras.encoders.HubEncoder` "
            "into a model of your own."
        )
    size = image_size
    if size is None:
        size = _IMAGE_SIZE_PX if fixed is None else fixed
    checks.integer(size, name="image_size", low=1)
    if fixed not in (None, size):
        raise ValueError(
            f"The module {layer.handle!r} takes images of {fixed} px. Got: "
            f"image_size={size}. Leave `image_size` out."
        )
    module_channels = module_channels or channels
    if channels not in (1, module_channels):
        raise ValueError(
            f"The module {layer.handle!r} takes {module_channels} channels. "
            f"Got: channels={channels}. Expected {module_channels}"
            f"{' or 1' if module_channels == 3 else ''}."
        )
    if input_range is None:
        input_range = (0.0, 255.0) if form.dtype == "uint8" else (0.0, 1.0)
    low, high = checks.interval(input_range, name="input_range")
    pixels = keras.Input((size, size, channels), name="pixels")
    values = pixels
    if module_channels == 3 and channels == 1:
        values = channels_lib.repeat_grey(values)
    values = keras.layers.Rescaling(
        (high - low) / 255, offset=low, name=preprocessing.OUTPUT_NAME
    )(values)
    return input_specs.ImageSpec(size=size, channels=channels), {
        "model": keras.Model(pixels, layer(values), name=layer.name),
        "preprocessing": "custom",
        "preprocessing_output": preprocessing.OUTPUT_NAME,
        "trained_range": (low, high),
        "min_image_size": size if fixed else 1,
    }


def _texts(layer, preprocessor):
    texts = keras.Input((), dtype="string", name="texts")
    values = texts
    if preprocessor is not None:
        tokens = HubEncoder(preprocessor, name=f"{layer.name}_preprocessor")
        values = tokens(texts)
        form = layer.input_forms[0]
        if isinstance(form, dict) and isinstance(values, dict):
            # A preprocessor may make more than its encoder takes.
            values = {k: v for k, v in values.items() if k in form}
    return input_specs.TextSpec(), {
        "model": keras.Model(texts, layer(values), name=layer.name),
        "preprocessing": "in_model",
    }


def _sounds(layer, input_spec, sample_rate):
    rate = _SAMPLE_RATE_HZ if sample_rate is None else sample_rate
    checks.integer(rate, name="sample_rate", low=1)
    if input_spec is None:
        input_spec = input_specs.AudioSpec(sample_rate=rate, num_samples=None)
    checks.instance(input_spec, input_specs.AudioSpec, name="input_spec")
    form = layer.input_forms[0]
    clips = keras.Input(input_spec.shape, name="waveform")
    waveform = Waveform(
        input_spec.sample_rate,
        rate,
        num_samples=form.shape[0 if layer.per_example else 1],
        name="preprocessing_waveform",
    )
    values = waveform(clips)
    if form.shape.rank == 3:
        values = keras.ops.expand_dims(values, -1)
    features = layer(values)
    if len(features.shape) == 3:
        features = keras.layers.GlobalAveragePooling1D(name="frames_pool")(
            features
        )
    return input_spec, {
        "model": keras.Model(clips, features, name=layer.name),
        "preprocessing": "custom",
        "preprocessing_output": waveform.name,
        "trained_range": (-1.0, 1.0),
    }
