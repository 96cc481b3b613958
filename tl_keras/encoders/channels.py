"""Networks that were trained on RGB, for images with other channels."""

import keras

from tl_keras import graph
from tl_keras.encoders import copying


def repeat_grey(grey):
    """A grey image as RGB, by a stock layer.

    Args:
        grey: Keras tensor `[batch, height, width, 1]`.

    Returns:
        Keras tensor `[batch, height, width, 3]`, three times the same.

    Example:
        >>> import keras
        >>> repeat_grey(keras.Input((8, 8, 1))).shape
        (None, 8, 8, 3)
    """
    return keras.layers.Concatenate(name="grey_to_rgb")([grey] * 3)


def add_fourth(model) -> keras.Model:
    """A copy of an RGB network that takes a fourth channel too.

    The fourth channel (infrared, depth, opacity ...) is scaled to -1..1 and
    joins the three others behind their preprocessing, where the first
    convolution reads them. The convolution's weights for it are zero, so that
    at first the copy answers as the network does without it.

    Args:
        model: A Functional model from RGB pixels `[batch, size, size, 3]`.
            Its first convolution is a `Conv2D` of its own or inside a nested
            Sequential. Stays as it is.

    Returns:
        A Functional model from `[batch, size, size, 4]`, all channels in
        0..255.

    Example:
        >>> import keras
        >>> pixels = keras.Input((8, 8, 3))
        >>> features = keras.layers.Conv2D(2, 3, name="conv1")(pixels)
        >>> wider = add_fourth(keras.Model(pixels, features))
        >>> wider.input_shape, tuple(wider.get_layer("conv1").kernel.shape)
        ((None, 8, 8, 4), (3, 3, 4, 2))
    """
    height, width = model.inputs[0].shape[1:3]
    pixels = keras.Input((height, width, 4), name="pixels")
    rgb, fourth = keras.ops.split(pixels, [3], axis=-1)
    fourth = keras.layers.Rescaling(
        1 / 127.5, offset=-1.0, name="preprocessing_fourth_channel"
    )(fourth)
    join = keras.layers.Concatenate(name="preprocessing_join")
    junction = _reader_of_preprocessed(model)

    def change_input(operation, tensor):
        tensor = rgb if tensor is pixels else tensor
        return join([tensor, fourth]) if operation.name == junction else tensor

    return copying.copy(model, pixels, change_input)


def _reader_of_preprocessed(model) -> str:
    """The first convolution, or the padding in front of it."""
    inputs = graph.inputs_of(model)
    operations = {operation.name: operation for operation in model.operations}
    name = next(name for name in inputs if _has_convolution(operations[name]))
    while isinstance(operations[inputs[name][0]], keras.layers.ZeroPadding2D):
        name = inputs[name][0]
    return name


def _has_convolution(operation) -> bool:
    if isinstance(operation, keras.Sequential):
        return any(_has_convolution(layer) for layer in operation.layers)
    return isinstance(operation, keras.layers.Conv2D)
