"""What pretrained networks expect of pixels, as stock Keras layers."""

import dataclasses

import keras
import numpy as np

# From torchvision: statistics of ImageNet's images in 0..1.
_TORCH_MEAN = np.array([0.485, 0.456, 0.406])
_TORCH_DEVIATION = np.array([0.229, 0.224, 0.225])


@dataclasses.dataclass(frozen=True)
class Convention:
    """`pixels * scale + offset`, with the channels reversed before or not."""

    scale: float | list[float]
    offset: float | list[float]
    reverse_channels: bool = False


CONVENTIONS = {
    # BGR, minus the mean of ImageNet's pixels.
    "caffe": Convention(1.0, [-103.939, -116.779, -123.68], True),
    "tf": Convention(1 / 127.5, -1.0),
    "torch": Convention(
        (1 / (255 * _TORCH_DEVIATION)).tolist(),
        (-_TORCH_MEAN / _TORCH_DEVIATION).tolist(),
    ),
}

OUTPUT_NAME = "preprocessing_rescaling"


def layers(convention: str) -> list:
    """The preprocessing of a convention as operations, in order.

    Every one is a stock Keras layer or operation, so that plain Keras reloads
    a model that has them inside.

    Args:
        convention: "caffe", "tf", "torch", or "in_model" and "none", which
            need nothing.

    Returns:
        Callables from a Keras tensor of RGB pixels in 0..255 to another.

    Example:
        >>> import numpy as np
        >>> (rescale,) = layers("tf")
        >>> rescale(np.array([[[[0.0, 127.5, 255.0]]]])).numpy().tolist()
        [[[[-1.0, 0.0, 1.0]]]]
    """
    if convention in ("in_model", "none"):
        return []
    found = CONVENTIONS[convention]
    rescale = keras.layers.Rescaling(
        found.scale, offset=found.offset, name=OUTPUT_NAME
    )
    return [_reverse_channels, rescale] if found.reverse_channels else [rescale]


def convention_of(preprocess_input) -> str:
    """Finds by trying what a `preprocess_input` of Keras does.

    Args:
        preprocess_input: A function from an image array, RGB in 0..255, to
            what the network takes.

    Returns:
        "caffe", "tf", "torch", or "in_model" if it changes nothing.

    Raises:
        ValueError: If it does something else.

    Example:
        >>> import keras
        >>> convention_of(keras.applications.vgg16.preprocess_input)
        'caffe'
    """
    pixels = np.array([[[[0.0, 100.0, 255.0], [31.0, 7.0, 1.0]]]], "float32")
    values = np.asarray(preprocess_input(pixels.copy()))
    if np.array_equal(values, pixels):
        return "in_model"
    for name, found in CONVENTIONS.items():
        ordered = pixels[..., ::-1] if found.reverse_channels else pixels
        expected = ordered * np.array(found.scale) + np.array(found.offset)
        if np.allclose(values, expected, atol=1e-4):
            return name
    raise ValueError(
        f"`preprocess_input` follows no known convention. Got: "
        f"{values.tolist()} for the pixels {pixels.tolist()}. Expected one "
        f"of: {', '.join(CONVENTIONS)}, or the pixels unchanged. Use "
        "`tl_keras.encoders.from_model` with preprocessing layers of your own."
    )


def output_range(operations, channels: int) -> tuple[float, float]:
    """Smallest and largest value that pixels in 0..255 can become.

    Correct for preprocessing that is monotone in every pixel, such as scaling.

    Args:
        operations: Callables from images to images, e.g. `layers("tf")`.
        channels: How many values a pixel has.

    Example:
        >>> output_range(layers("tf"), channels=3)
        (-1.0, 1.0)
    """
    black_and_white = np.zeros((2, 8, 8, channels), "float32")
    black_and_white[1] = 255.0
    values = black_and_white
    for operation in operations:
        values = operation(values)
    values = keras.ops.convert_to_numpy(values)
    return float(values.min()), float(values.max())


def _reverse_channels(images):
    return keras.ops.flip(images, axis=-1)
