"""A preset of KerasHub that takes images, as an encoder."""

import keras
import numpy as np

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.encoders import channels as channels_lib
from tl_keras.encoders import flattening
from tl_keras.encoders import numbered_groups
from tl_keras.encoders import preprocessing
from tl_keras.encoders import preset_files
from tl_keras.encoders import rebuilding
from tl_keras.encoders import weights_files
from tl_keras.encoders.encoder import Encoder

# Where neither the preset nor the user says one: that of ImageNet's networks.
_DEFAULT_SIZE_PX = 224


def load(
    name: str,
    preset: str,
    converter,
    image_size: int | None,
    weights,
    channels: int,
    *,
    features: str | None = None,
) -> Encoder:
    """See `tl_keras.encoders.presets.load`.

    Args:
        name: As the user gave it.
        preset: As KerasHub takes it.
        converter: The preset's `ImageConverter`.
        image_size: As the user gave it.
        weights: As the user gave it.
        channels: As the user gave it.
        features: "sequence", "cls" or "mean", of a backbone that gives
            tokens; None: what the backbone gives.
    """
    checks.one_of(channels, (1, 3, 4), name="channels")
    layers = _scaling(name, converter)
    if image_size is not None:
        checks.integer(image_size, name="image_size", low=1)
    backbone = preset_files.backbone(preset, weights == "imagenet")
    _check_takes_images(name, backbone)
    own_size = backbone.inputs[0].shape[1]
    size = image_size or own_size or _size_of(converter) or _DEFAULT_SIZE_PX
    if own_size not in (None, size):
        backbone = _of_other_size(name, preset, weights, size, own_size)

    flat = _flat(backbone, size)
    pixels = keras.Input((size, size, min(channels, 3)), name="pixels")
    values = channels_lib.repeat_grey(pixels) if channels == 1 else pixels
    for layer in layers:
        values = layer(values)
    outputs = _chosen(name, flattening.replay(flat, values), features)
    model = keras.Model(pixels, outputs, name=backbone.name)
    groups = numbered_groups.groups_of(model, "stem")
    if channels == 4:
        model = _with_fourth_channel(name, model)
    if weights not in (None, "imagenet"):
        weights_files.read(model, weights, name=name)
    rng = np.random.default_rng(0)
    shape = (2, size, size, channels)
    rebuilding.check_copies(model, rng.uniform(0, 255, shape).astype("float32"))
    return Encoder(
        name=name,
        model=model,
        groups=groups,
        input_spec=input_specs.ImageSpec(size=size, channels=channels),
        preprocessing="custom" if layers else "none",
        preprocessing_output=layers[-1].name if layers else None,
        trained_range=preprocessing.output_range(layers, channels=3),
        min_image_size=size,
    )


def _scaling(name, converter) -> list:
    """The converter's scaling as a stock layer, or none if it does nothing."""
    scale, offset = converter.scale, converter.offset
    layers = []
    if scale is not None or offset is not None:
        layers = [
            keras.layers.Rescaling(
                1.0 if scale is None else scale,
                offset=0.0 if offset is None else offset,
                name=preprocessing.OUTPUT_NAME,
            )
        ]
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3))
    pixels = values = pixels.astype("float32")
    for layer in layers:
        values = layer(values)
    own_size, converter.image_size = converter.image_size, None
    expected = converter(pixels)
    converter.image_size = own_size
    if not np.allclose(values, expected, atol=1e-4):
        raise ValueError(
            f"The preprocessing of {name} is more than a scaling. Got: "
            f"{type(converter).__name__}. Expected one that multiplies each "
            "channel and adds to it; take the backbone and use "
            "`tl_keras.encoders.from_model` with layers of your own."
        )
    return layers


def _check_takes_images(name, backbone):
    shapes = [tuple(tensor.shape) for tensor in backbone.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] != 3:
        raise ValueError(
            f"The backbone of {name} does not take images alone. Got inputs "
            f"of shape: {shapes}. Expected one: (None, SIZE, SIZE, 3)."
        )


def _size_of(converter) -> int | None:
    size = converter.image_size
    return max(size) if size else None


def _of_other_size(name, preset, weights, size, own_size):
    try:
        return preset_files.backbone(
            preset, weights == "imagenet", image_shape=(size, size, 3)
        )
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{name} does not take images of another size. Got: image_size="
            f"{size}. Expected {own_size}. KerasHub says: {error}"
        ) from error


def _flat(backbone, size) -> keras.Model:
    """The backbone's layers as one graph from images of that size."""
    images = keras.Input((size, size, 3), name="images")
    # Some take a dict of one.
    given = keras.tree.map_structure(lambda _: images, backbone.input)
    outputs = flattening.replay(backbone, given)
    # Of several maps, the last one is the smallest.
    maps = keras.tree.flatten(outputs)
    outputs = min(reversed(maps), key=lambda one: one.shape[1])
    model = keras.Model(images, outputs, name=backbone.name)
    return flattening.flatten(model)


def _chosen(name, outputs, features):
    if features in (None, "sequence"):
        return outputs
    checks.one_of(features, ("sequence", "cls", "mean"), name="features")
    if len(outputs.shape) != 3:
        raise ValueError(
            f"{name} gives no tokens to choose from. Got: features="
            f"{features!r}, and outputs of shape {tuple(outputs.shape)}. Leave "
            "`features` out."
        )
    if features == "cls":
        return outputs[:, 0]
    return keras.ops.mean(outputs, axis=1)


def _with_fourth_channel(name, model) -> keras.Model:
    try:
        return channels_lib.add_fourth(model)
    except StopIteration:
        raise ValueError(
            f"{name} does not begin with a convolution that could be widened. "
            "Got: channels=4. Expected 1 or 3."
        ) from None
