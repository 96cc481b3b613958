"""The networks of the contestants that use plain Keras."""

import keras
import numpy as np

from comparison import work as works

_CALIBRATION_IMAGES = 64


def prepare_weights(work, path):
    """A function that writes weights which keep the size of what runs through.

    Random weights with the statistics that BatchNormalization begins with
    would let features vanish layer by layer.
    """

    def write():
        keras.utils.set_random_seed(0)
        model = base(work)
        labels = np.arange(_CALIBRATION_IMAGES) % works.NUM_CLASSES
        _, images = next(works.patterns(labels, work.image_size_px, seed=0))
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.0
        model(rescaling()(images), training=True)
        model.save_weights(path)
        return {}

    return write


def base(work, weights=None) -> keras.Model:
    """The encoder as `keras.applications` makes it, on pixels in -1..1."""
    model = getattr(keras.applications, work.encoder)(
        include_top=False,
        weights=None,
        input_shape=(work.image_size_px, work.image_size_px, 3),
        **work.options,
    )
    if weights is not None:
        model.load_weights(weights)
    return model


def recipe(base_model, cut: str, seed: int) -> keras.Model:
    """The model of the Keras guide to transfer learning.

    What is frozen, and BatchNormalization everywhere, is in inference mode.
    Where everything trains, BatchNormalization trains too, as it does in
    tl_keras. The guide would write `training=True` for that, but then
    validation would use the batch's statistics; left out, it follows `fit`.
    """
    freeze(base_model, cut)
    pixels = keras.Input(base_model.input_shape[1:])
    mode = {} if cut == "all" else {"training": False}
    return keras.Model(
        pixels, head(base_model(rescaling()(pixels), **mode), seed)
    )


def freeze(base_model, cut: str):
    """Sets which layers of an encoder train, in place."""
    base_model.trainable = cut != "head"
    if cut not in ("head", "all"):
        first = first_layer(base_model, cut)
        for layer in base_model.layers[: base_model.layers.index(first)]:
            layer.trainable = False


def split(base_model, cut: str, seed: int) -> tuple[keras.Model, keras.Model]:
    """What is frozen, from pixels to the cut; what trains, from there on."""
    if cut == "head":
        tensor = pool(base_model.output)
        logits = classify(tensor, seed)
    else:
        tensor = first_layer(base_model, cut).input
        logits = head(base_model.output, seed)
    pixels = keras.Input(base_model.input_shape[1:])
    frozen = keras.Model(base_model.input, tensor)
    prefix = keras.Model(pixels, frozen(rescaling()(pixels)))
    return prefix, keras.Model(tensor, logits)


def first_layer(base_model, cut: str):
    """The first layer of a group."""
    return next(
        layer for layer in base_model.layers if layer.name.startswith(f"{cut}_")
    )


def rescaling():
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0)


def head(features, seed: int):
    return classify(pool(features), seed)


def pool(features):
    return keras.layers.GlobalAveragePooling2D()(features)


def classify(features, seed: int):
    # The same initial weights as in tl_keras.
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(
        works.NUM_CLASSES, kernel_initializer=initializer
    )(features)


def hub_backbone(work) -> keras.Model:
    """The encoder as KerasHub makes it, with random weights."""
    import keras_hub

    shape = (work.image_size_px, work.image_size_px, 3)
    if work.encoder == "ResNet50V2":
        return keras_hub.models.ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[7],
            stackwise_num_filters=[64, 128, 256, 512],
            stackwise_num_blocks=[3, 4, 6, 3],
            stackwise_num_strides=[1, 2, 2, 2],
            block_type="bottleneck_block",
            use_pre_activation=True,
            image_shape=shape,
        )
    return keras_hub.models.MobileNetBackbone(
        **_inverted_residuals(work.alpha), image_shape=shape
    )


def _inverted_residuals(alpha: float) -> dict:
    """KerasHub's settings that make a MobileNetV2; the last activation differs.

    Reference:
        Sandler et al., "MobileNetV2: Inverted Residuals and Linear
        Bottlenecks", CVPR 2018, https://arxiv.org/abs/1801.04381, Table 2.
    """
    blocks = [2, 3, 4, 3, 3, 1]
    widths = [_width(alpha * w) for w in (24, 32, 64, 96, 160, 320)]
    first_width = _width(alpha * 16)
    filters = [
        [width] * count for width, count in zip(widths, blocks, strict=True)
    ]
    expansion = [
        [6 * before] + [6 * width] * (count - 1)
        for before, width, count in zip(
            [first_width, *widths], widths, blocks, strict=False
        )
    ]

    def everywhere(value):
        return [[value] * count for count in blocks]

    return {
        "stackwise_expansion": expansion,
        "stackwise_num_blocks": blocks,
        "stackwise_num_filters": filters,
        "stackwise_kernel_size": everywhere(3),
        "stackwise_num_strides": [
            [stride] + [1] * (count - 1)
            for stride, count in zip([2, 2, 2, 1, 2, 1], blocks, strict=True)
        ],
        "stackwise_se_ratio": everywhere(None),
        "stackwise_activation": everywhere("relu6"),
        "stackwise_padding": everywhere(1),
        "input_num_filters": _width(alpha * 32),
        "input_activation": "relu6",
        "depthwise_filters": first_width,
        "depthwise_stride": 1,
        "depthwise_residual": False,
        "last_layer_filter": 1280,
        "output_num_filters": 1280,
        "output_activation": "relu6",
    }


def _width(channels: float) -> int:
    """The nearest multiple of eight that takes away no more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
