"""A small convolutional network whose pretrained weights come with the package.

About 304,000 parameters and, at 32 pixels, 11.5 million multiply-adds: loading
it downloads nothing, and fine-tuning it on small images takes seconds on a
laptop. It is for first runs, examples and tests. The packaged weights were
trained on CIFAR-10 (Krizhevsky, "Learning Multiple Layers of Features from Tiny
Images", 2009) by `benchmarks/pretrain_tiny.py`.
"""

import os
import pathlib

import keras

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.encoders import channels as channels_lib
from tl_keras.encoders import preprocessing
from tl_keras.encoders.encoder import Encoder

IMAGE_SIZE_PX = 32
MIN_IMAGE_SIZE_PX = 16
STEM_WIDTH = 16
STAGE_WIDTHS = (32, 64, 128)
PACKAGED_WEIGHTS = pathlib.Path(__file__).with_name("tiny_cifar10.weights.h5")


def load(
    image_size: int | None = None,
    weights: str | os.PathLike | None = "imagenet",
    *,
    channels: int = 3,
) -> Encoder:
    """The tiny encoder.

    Use it where an encoder is wanted at once: it needs no download and little
    time. For accuracy on real photographs take one of the Applications.

    Args:
        image_size: Height and width of the images in pixels, at least 16.
            None: 32, the size of the images that it was trained on.
        weights: What the network starts from. `"cifar10"` or `"imagenet"`:
            the packaged weights. There is one set of them, trained on
            CIFAR-10 and on no ImageNet image; the second name is there
            because it is the default of `tl_keras.encoders.load`. None: new
            random weights. A path: a file that `encoder.model.save_weights`
            wrote for this network with one or three channels.
        channels: 3: RGB. 1: grey, which is repeated three times inside. 4:
            RGB and one more, whose weights in the first convolution start at
            zero.

    Returns:
        An `Encoder` with the groups `stem`, `stage1`, `stage2` and `stage3`.
        Its features are float32 `[batch, size, size, 128]` with `size` an
        eighth of `image_size`, rounded up.

    Raises:
        TypeError: If `image_size` is not a whole number.
        ValueError: If it is below 16, if `channels` is another number, or if
            the file in `weights` is missing or does not fit.

    Example:
        >>> from tl_keras.encoders import tiny
        >>> encoder = tiny.load()
        >>> encoder.model.output_shape
        (None, 4, 4, 128)
        >>> list(encoder.groups)
        ['stem', 'stage1', 'stage2', 'stage3']
    """
    image_size = checks.integer(
        IMAGE_SIZE_PX if image_size is None else image_size,
        name="image_size",
        low=MIN_IMAGE_SIZE_PX,
    )
    checks.one_of(channels, (1, 3, 4), name="channels")
    model = network(image_size, channels=min(channels, 3))
    if weights is not None:
        _read_weights(model, weights)
    groups = _groups(model)
    if channels == 4:
        model = channels_lib.add_fourth(model)
    return Encoder(
        name="tiny",
        model=model,
        groups=groups,
        input_spec=input_specs.ImageSpec(size=image_size, channels=channels),
        preprocessing="tf",
        preprocessing_output=preprocessing.OUTPUT_NAME,
        trained_range=(-1.0, 1.0),
        min_image_size=MIN_IMAGE_SIZE_PX,
    )


def network(image_size: int = IMAGE_SIZE_PX, channels: int = 3) -> keras.Model:
    """The architecture with new weights: raw pixels in, a feature map out.

    A stem of one convolution, then three stages of one residual block each;
    every stage halves height and width.

    Args:
        image_size: Height and width of the input, in pixels.
        channels: 3 (RGB) or 1 (grey).

    Returns:
        A Functional `keras.Model` from float32 `[batch, image_size,
        image_size, channels]`, values 0..255, to float32 `[batch,
        ceil(image_size / 8), ceil(image_size / 8), 128]`, values from 0.
    """
    pixels = keras.Input((image_size, image_size, channels), name="pixels")
    values = channels_lib.repeat_grey(pixels) if channels == 1 else pixels
    (rescale,) = preprocessing.layers("tf")
    features = _convolution(
        rescale(values), STEM_WIDTH, 3, 1, "stem_conv", "stem_norm"
    )
    features = keras.layers.ReLU(name="stem_relu")(features)
    for number, width in enumerate(STAGE_WIDTHS, start=1):
        features = _residual_block(features, width, f"stage{number}")
    return keras.Model(pixels, features, name="tiny")


def _residual_block(features, width: int, name: str):
    """Two 3x3 convolutions beside a 1x1 shortcut, all at half the size."""
    main = _convolution(features, width, 3, 2, f"{name}_conv1", f"{name}_norm1")
    main = keras.layers.ReLU(name=f"{name}_relu1")(main)
    main = _convolution(main, width, 3, 1, f"{name}_conv2", f"{name}_norm2")
    shortcut = _convolution(
        features,
        width,
        1,
        2,
        f"{name}_shortcut_conv",
        f"{name}_shortcut_norm",
    )
    total = keras.layers.Add(name=f"{name}_add")([main, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu2")(total)


def _convolution(features, width, kernel_size, strides, name, norm_name):
    features = keras.layers.Conv2D(
        width,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(features)
    # Keras' default momentum of 0.99 would leave the moving statistics stale
    # after the few hundred steps of a short fine-tuning.
    return keras.layers.BatchNormalization(momentum=0.9, name=norm_name)(
        features
    )


def _read_weights(model, weights):
    """Gives the model the named weights, or those of a file, in place."""
    if weights in ("cifar10", "imagenet"):
        model.load_weights(PACKAGED_WEIGHTS)
        return
    checks.instance(weights, (str, os.PathLike), name="weights")
    path = os.fspath(weights)
    if not os.path.isfile(path):
        raise ValueError(
            "There is no such file of weights for the tiny encoder. Got: "
            f"weights={path!r}. Expected the path of a file that "
            "`encoder.model.save_weights` wrote, 'cifar10' (the packaged "
            "weights) or None (new ones)."
        )
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(
            "The file does not hold weights of the tiny encoder. Got: "
            f"weights={path!r}. Expected a `.weights.h5` file that `encoder."
            "model.save_weights` wrote for `tiny` with one or three channels. "
            f"Keras says: {error}"
        ) from error


def _groups(model) -> dict[str, tuple[str, ...]]:
    """The layers with weights by the first word of their names."""
    groups = {}
    for layer in model.layers:
        if layer.weights:
            groups.setdefault(layer.name.split("_")[0], []).append(layer.name)
    return {name: tuple(layers) for name, layers in groups.items()}
