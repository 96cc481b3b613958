"""Test-time augmentation: the mean answer to several views of an image."""

import keras

from tl_keras import checks
from tl_keras import models

VIEWS = ("flip", "crops")
# The side of a crop, as a share of the image's.
_CROP = 0.875


def over_views(model, views: str) -> keras.Model:
    """A model that answers with its mean probabilities over views.

    It costs a pass for each view, trains nothing and shares the weights.

    Args:
        model: A `keras.Model` from images to logits or probabilities.
        views: "flip": the image and its mirror image, two passes. "crops":
            the four corners and the middle at seven eighths of the size, each
            mirrored too, ten passes (Krizhevsky et al., 2012).

    Returns:
        A `keras.Model` from the same images to probabilities `(batch,
        num_classes)`, float32.

    Raises:
        ValueError: If `views` is something else, or the model takes no
            images.

    Example:
        >>> import numpy as np
        >>> import tl_keras
        >>> encoder = tl_keras.encoders.load("tiny")
        >>> head = tl_keras.heads.Classifier(num_classes=3)
        >>> model = tl_keras.build(encoder, head)
        >>> averaged = over_views(model, "flip")
        >>> image = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3))
        >>> here, mirrored = averaged(image), averaged(image[:, :, ::-1])
        >>> bool(np.allclose(here, mirrored, atol=1e-6))
        True

    Reference:
        Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep
        Convolutional Neural Networks", NeurIPS 2012, section 4.1
    """
    checks.one_of(views, VIEWS, name="test_time_augmentation")
    [taken] = model.inputs
    if len(taken.shape) != 4 or None in taken.shape[1:]:
        raise ValueError(
            "Test-time augmentation is for images of a fixed size. Got a "
            f"model that takes {taken.dtype} of shape {tuple(taken.shape)}."
        )
    pixels = keras.Input(taken.shape[1:], dtype=taken.dtype)
    are_logits = models.outputs_are_logits(model)
    total = 0.0
    views_of_one = list(_views(pixels, views))
    for view in views_of_one:
        outputs = keras.ops.cast(model(view, training=False), "float32")
        total += keras.ops.softmax(outputs) if are_logits else outputs
    mean = total / len(views_of_one)
    # An activation that changes nothing tells others what the outputs are.
    logarithm = keras.ops.log(keras.ops.maximum(mean, 1e-30))
    probabilities = keras.layers.Softmax(dtype="float32")(logarithm)
    return keras.Model(pixels, probabilities, name=f"{model.name}_{views}")


def _views(pixels, views):
    """Keras tensors like the image's, each a view."""
    if views == "flip":
        yield pixels
        yield pixels[:, :, ::-1]
        return
    height, width = pixels.shape[1:3]
    rows, columns = round(_CROP * height), round(_CROP * width)
    bottom, right = height - rows, width - columns
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    for top, left in [*corners, (bottom // 2, right // 2)]:
        crop = pixels[:, top : top + rows, left : left + columns]
        resized = keras.ops.image.resize(crop, (height, width))
        yield resized
        yield resized[:, :, ::-1]
