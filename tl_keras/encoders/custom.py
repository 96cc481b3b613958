"""Any Keras model as an encoder."""

import keras

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.encoders import copying
from tl_keras.encoders import groups as groups_lib
from tl_keras.encoders import preprocessing as preprocessing_lib
from tl_keras.encoders.encoder import Encoder


def from_model(
    model,
    preprocessing,
    groups,
    *,
    name: str | None = None,
    trained_range: tuple[float, float] | None = None,
) -> Encoder:
    """Makes an encoder of any Functional `keras.Model`.

    Use it for a network that you trained yourself, or that Keras does not
    have. To leave out a model's own head, cut it first:
    `keras.Model(model.inputs, model.get_layer("last_conv").output)`.

    Args:
        model: A Functional model from images of a fixed size to a feature map
            `[batch, height, width, features]` or a vector `[batch, features]`.
            It stays as it is; the encoder has a copy of its weights.
        preprocessing: What stands between pixels in 0..255 and `model`, and
            will be inside of the encoder: "caffe", "tf" or "torch" as in
            `keras.applications`; a stock Keras layer or a list of them (e.g.
            `keras.layers.Rescaling(1 / 255)`); "in_model" where `model` begins
            with preprocessing of its own; None or "none" where it takes 0..255.
        groups: Group name to a list of layers or names of layers of `model`,
            from the input to the features; all layers with weights must occur
            once. None: one group "encoder"; or, if `model` contains models, a
            group for each of these, named after it, and "stem" for layers in
            front; single layers belong to the model before them.
        name: The encoder's name. None: the model's.
        trained_range: Smallest and largest value that `model` got when it was
            trained. None: what pixels in 0..255 become by `preprocessing`.

    Returns:
        An `Encoder` whose `min_image_size` is the model's image size.

    Raises:
        TypeError: If `model`, `preprocessing` or a layer is something else.
        ValueError: If `model` is not Functional with one input and output, its
            images have no fixed, square size or not 1, 3 or 4 channels, or if
            `groups` does not fit it.

    Example:
        >>> import keras
        >>> import tl_keras
        >>> pixels = keras.Input((32, 32, 3))
        >>> hidden = keras.layers.Conv2D(8, 3, strides=2, name="conv1")(pixels)
        >>> features = keras.layers.Conv2D(16, 3, name="conv2")(hidden)
        >>> encoder = tl_keras.encoders.from_model(
        ...     keras.Model(pixels, features),
        ...     keras.layers.Rescaling(1 / 255),
        ...     {"stem": ["conv1"], "top": ["conv2"]},
        ... )
        >>> encoder.trained_range, encoder.feature_width
        ((0.0, 1.0), 16)
    """
    checks.instance(model, keras.Model, name="model")
    groups_lib.check_functional(model)
    image_size, channels = _image_shape(model)
    kind, layers = _preprocessing(preprocessing, model, channels)
    groups = _default_groups(model) if groups is None else _as_names(groups)
    groups_lib.check_groups(model, groups)

    pixels = keras.Input((image_size, image_size, channels), name="pixels")
    values = pixels
    for layer in layers:
        values = layer(values)
    copied = copying.copy(
        model,
        pixels,
        lambda operation, tensor: values if tensor is pixels else tensor,
    )
    if trained_range is None:
        trained_range = preprocessing_lib.output_range(layers, channels)
    return Encoder(
        name=model.name if name is None else name,
        model=copied,
        groups=groups,
        input_spec=input_specs.ImageSpec(size=image_size, channels=channels),
        preprocessing=kind,
        preprocessing_output=layers[-1].name if layers else None,
        trained_range=trained_range,
        min_image_size=image_size,
    )


def _image_shape(model) -> tuple[int, int]:
    shape = tuple(model.inputs[0].shape)
    square = len(shape) == 4 and shape[1] is not None and shape[1] == shape[2]
    if not square or shape[3] not in (1, 3, 4):
        raise ValueError(
            f"`model` takes no images of one size. Got: shape {shape}. "
            "Expected (None, SIZE, SIZE, CHANNELS) with 1, 3 or 4 channels. "
            "Where it takes any size, choose one with `pixels = "
            "keras.Input((SIZE, SIZE, 3))` and `keras.models.clone_model("
            "model, input_tensors=pixels)`, then `set_weights`."
        )
    return shape[1], shape[3]


def _preprocessing(preprocessing, model, channels):
    """The convention's name and its layers, renamed where names collide."""
    if preprocessing is None:
        return "none", []
    if isinstance(preprocessing, str):
        known = (*preprocessing_lib.CONVENTIONS, "in_model", "none")
        checks.one_of(preprocessing, known, name="preprocessing")
        layers = preprocessing_lib.layers(preprocessing)
        if layers and channels != 3:
            raise ValueError(
                f"The preprocessing {preprocessing!r} is for RGB images. Got: "
                f"a model with {channels} channels. Pass a layer, e.g. "
                "`keras.layers.Rescaling(1 / 127.5, offset=-1)`."
            )
        return preprocessing, layers
    if isinstance(preprocessing, keras.layers.Layer):
        preprocessing = [preprocessing]
    checks.instance(preprocessing, (list, tuple), name="preprocessing")
    for layer in preprocessing:
        checks.instance(layer, keras.layers.Layer, name="preprocessing")
    return "custom", [_renamed(layer, model) for layer in preprocessing]


def _renamed(layer, model):
    """A layer like `layer`, named so that it cannot meet one of the model's."""
    config = layer.get_config() | {"name": f"preprocessing_{layer.name}"}
    copied = type(layer).from_config(config)
    shape = tuple(model.inputs[0].shape)
    result = tuple(copied.compute_output_shape(shape))
    copied.build(shape)
    if copied.weights or result != shape:
        raise ValueError(
            "A preprocessing layer must have no weights and keep the shape. "
            f"Got: {layer.name!r} with {len(copied.weights)} weights, from "
            f"{shape} to {result}. Give a Normalization its statistics: "
            "`keras.layers.Normalization(mean=MEAN, variance=VARIANCE)`."
        )
    return copied


def _as_names(groups) -> dict[str, tuple[str, ...]]:
    checks.instance(groups, dict, name="groups")
    named = {}
    for group, layers in groups.items():
        checks.instance(layers, (list, tuple), name=f"groups[{group!r}]")
        for layer in layers:
            checks.instance(
                layer, (str, keras.layers.Layer), name=f"groups[{group!r}]"
            )
        named[group] = tuple(getattr(layer, "name", layer) for layer in layers)
    return named


def _default_groups(model) -> dict[str, tuple[str, ...]]:
    nested = [
        layer.name for layer in model.layers if isinstance(layer, keras.Model)
    ]
    group = "stem" if nested else "encoder"
    groups = {}
    # Layers come in graph order, so that any runs of them are in order too.
    for layer in groups_lib.layers_with_weights(model):
        group = layer if layer in nested else group
        groups.setdefault(group, []).append(layer)
    if not groups:
        raise ValueError(
            "`model` has no layers with weights, so there is nothing to "
            "train. Expected a network."
        )
    return {group: tuple(layers) for group, layers in groups.items()}
