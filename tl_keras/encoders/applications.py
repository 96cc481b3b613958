"""Encoders from `keras.applications`, with their preprocessing inside."""

import functools
import inspect
import os
import re

import keras

from tl_keras import checks
from tl_keras import input_specs
from tl_keras import keras_internals
from tl_keras.encoders import channels as channels_lib
from tl_keras.encoders import downloads
from tl_keras.encoders import preprocessing
from tl_keras.encoders import stages
from tl_keras.encoders.encoder import Encoder

_HEAD = "The head is not part of an encoder; make one with `tl_keras.heads`."
_SHAPE = "Use `image_size` and `channels`."
_REFUSED = {
    "classes": _HEAD,
    "classifier_activation": _HEAD,
    "dropout": _HEAD,
    "dropout_rate": _HEAD,
    "include_preprocessing": "An encoder has its preprocessing inside.",
    "include_top": _HEAD,
    "input_shape": _SHAPE,
    "input_tensor": _SHAPE,
    "name": "An encoder is named after its architecture.",
    "pooling": "An encoder ends in its last feature map; the head pools it.",
}


def names() -> list[str]:
    """Names of the models that this Keras has, in alphabetical order.

    Example:
        >>> "MobileNetV2" in names()
        True
    """
    return [
        name
        for name, value in sorted(vars(keras.applications).items())
        if inspect.isfunction(value)
    ]


def load(
    name: str,
    image_size: int | None = None,
    weights: str | os.PathLike | None = "imagenet",
    *,
    channels: int = 3,
    **options,
) -> Encoder:
    """One of `keras.applications` as an encoder.

    See `tl_keras.encoders.load`, which calls this for all names of
    `keras.applications`.

    Args:
        name: The model's name in Keras, in upper or lower case.
        image_size: Height and width of the images in pixels. None: the size
            that the model was made for.
        weights: "imagenet"; None for random ones; or the path of a file that
            fits the model without its top. Keras' own ImageNet file, under
            whatever name, gives what "imagenet" gives.
        channels: 1, 3 or 4.
        **options: The model's own, e.g. `alpha=0.35` for MobileNetV2.

    Returns:
        An `Encoder`.

    Raises:
        ConnectionError: If ImageNet weights have to be downloaded and cannot.
        TypeError: If `image_size` is not a whole number.
        ValueError: If an argument is unknown, too small or does not fit.

    Example:
        >>> encoder = load("mobilenetv2", 32, weights=None, alpha=0.35)
        >>> encoder.name, encoder.preprocessing, encoder.feature_width
        ('MobileNetV2', 'tf', 1280)
        >>> list(encoder.groups)[:3], list(encoder.groups)[-1]
        (['stem', 'block_0', 'block_1'], 'top')
    """
    name = _known_name(name)
    function = getattr(keras.applications, name)
    default_size, min_size = image_sizes(name)
    image_size = default_size if image_size is None else image_size
    _check_image_size(name, image_size, default_size, min_size)
    checks.one_of(channels, (1, 3, 4), name="channels")
    _check_options(name, function, options)
    weights = _check_weights(weights)
    _check_data_format()

    convention = _convention(function)
    layers = preprocessing.layers(convention)
    pixels = keras.Input(
        (image_size, image_size, min(channels, 3)), name="pixels"
    )
    values = channels_lib.repeat_grey(pixels) if channels == 1 else pixels
    for layer in layers:
        values = layer(values)
    make = functools.partial(
        function,
        include_top=False,
        input_tensor=values,
        # Keras checks the size, and picks the weights for it, by the shape.
        input_shape=(image_size, image_size, 3),
        **options,
    )
    made = _with_weights(function, make, weights, image_size)
    # Keras makes it with a list of one input, and would warn at each call.
    model = keras.Model(pixels, made.outputs[0], name=made.name)
    groups = stages.groups_of(model, _module_name(function))
    if channels == 4:
        model = channels_lib.add_fourth(model)
    return Encoder(
        name=name,
        model=model,
        groups=groups,
        input_spec=input_specs.ImageSpec(size=image_size, channels=channels),
        preprocessing=convention,
        preprocessing_output=preprocessing.OUTPUT_NAME if layers else None,
        trained_range=preprocessing.output_range(layers, channels=3),
        min_image_size=min_size,
    )


def _known_name(name: str) -> str:
    checks.instance(name, str, name="encoder")
    by_lower = {known.lower(): known for known in names()}
    if name.lower() not in by_lower:
        checks.one_of(name, names(), name="encoder")
    return by_lower[name.lower()]


class _Sizes(Exception):
    """Carries sizes out of a call of Keras that goes no further."""


@functools.cache
def image_sizes(name: str) -> tuple[int, int]:
    """A model's default and its smallest image size, in pixels."""

    def stop(input_shape, default_size, min_size, **unused):
        raise _Sizes(default_size, min_size)

    # One pixel is too small for all of them, so that nothing is built.
    function = getattr(keras.applications, name)
    try:
        with keras_internals.finding_sizes_by(stop):
            function(include_top=False, weights=None, input_shape=(1, 1, 3))
    except _Sizes as sizes:
        return sizes.args
    except ValueError as error:
        # MobileNetV3 checks for itself. It has no default size; its ImageNet
        # weights were made at 224 pixels.
        found = re.search(r"at least (\d+)x\1", str(error))
        if found:
            return 224, int(found[1])
        raise
    raise ValueError(f"keras.applications.{name} says no smallest image size.")


def _check_image_size(name, image_size, default_size, min_size):
    if checks.integer(image_size, name="image_size") < min_size:
        raise ValueError(
            f"`image_size` is too small for {name}. Got: {image_size}. "
            f"Expected at least {min_size} (default: {default_size})."
        )


def _check_options(name, function, options):
    valid = [
        option
        for option in inspect.signature(function).parameters
        if option not in _REFUSED and option != "weights"
    ]
    shown = ", ".join(map(repr, valid)) if valid else "none"
    for option in options:
        if option in _REFUSED:
            raise ValueError(
                f"`{option}` is not an option of an encoder. "
                f"{_REFUSED[option]} Options of {name}: {shown}."
            )
        if option not in valid:
            raise ValueError(
                f"{name} has no such option. Got: {option!r}. Expected one "
                f"of: {shown}.{checks.did_you_mean(option, valid)}"
            )


def _check_weights(weights):
    if weights is None or weights == "imagenet":
        return weights
    checks.instance(weights, (str, os.PathLike), name="weights")
    path = os.path.expanduser(os.fspath(weights))
    if not os.path.isfile(path):
        raise ValueError(
            f"`weights` is neither a known name nor a file. Got: {path!r}. "
            "Expected 'imagenet', None, or the path of a file with the "
            "weights of this model without its top."
        )
    return path


def _check_data_format():
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "Keras is set to `channels_first`. Expected `channels_last`; call "
            '`keras.config.set_image_data_format("channels_last")`.'
        )


def _module_name(function) -> str:
    # MobileNetV3's functions stand in `keras.applications` itself, but were
    # defined in a module with their `preprocess_input`, like the others.
    return function.__module__.rpartition(".")[2]


def _convention(function) -> str:
    module = getattr(keras.applications, _module_name(function))
    return preprocessing.convention_of(module.preprocess_input)


def _with_weights(function, make, weights, image_size):
    if weights is None:
        return make(weights=None)
    if weights == "imagenet":
        with downloads.fail_fast(image_size):
            return make(weights="imagenet")
    if _is_imagenet_file(function, weights):
        # EfficientNet has a layer more with these than with others.
        with downloads.use_file(weights):
            return make(weights="imagenet")
    model = make(weights=None)
    # The network as Keras makes it, without anything in front: a
    # `.weights.h5` file numbers the layers of the whole graph.
    network = keras.Model(make.keywords["input_tensor"], model.outputs[0])
    try:
        network.load_weights(weights)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            f"`weights` does not fit this model. Got: {weights!r}. Expected a "
            f"file made for it with the same options, without its top (Keras' "
            f'own are named "..._no_top.h5" or "..._notop.h5"). {error}'
        ) from error
    return model


def _is_imagenet_file(function, path) -> bool:
    hashes = inspect.getmodule(function).__dict__.get("WEIGHTS_HASHES", {})
    known = {without_top for _, without_top in hashes.values()}
    return bool(known) and downloads.md5(path) in known
