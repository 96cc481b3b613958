"""RandAugment on batches: each image gets an operation of its own.

Images are float32 `[batch, height, width, 1 or 3]` in 0..255. The strengths at
magnitude 10 are those of the paper's AutoAugment search space: rotation by 30
degrees, shear by 0.3, translation by 0.45 of the side, colour, contrast,
brightness and sharpness changed by 0.9, four bits left by posterize, all values
inverted by solarize. Where a rotation uncovers a corner, it becomes grey (128).
"""

import math

import tensorflow as tf

from tl_keras.data import images as images_

_GREY = 128.0


def apply(images, numbers, magnitude: float):
    """Applies one operation to each image, chosen by its numbers.

    Args:
        images: float32 `[batch, height, width, 1 or 3]` in 0..255.
        numbers: float32 `[batch, 2]` in [0, 1): they choose the operation
            and its direction (left or right, more or less).
        magnitude: Strength in [0, 10].

    Returns:
        float32 images of the same shape, in 0..255.

    Reference:
        Cubuk et al., "RandAugment: Practical automated data augmentation with
        a reduced search space", 2020, https://arxiv.org/abs/1909.13719
    """
    chosen = tf.cast(numbers[:, 0] * len(_OPERATIONS), tf.int32)
    chosen = tf.minimum(chosen, len(_OPERATIONS) - 1)
    sign = tf.where(numbers[:, 1] < 0.5, -1.0, 1.0)
    positions, parts = [], []
    for number, operation in enumerate(_OPERATIONS):
        position = tf.where(chosen == number)[:, 0]
        part = tf.gather(images, position)
        positions.append(tf.cast(position, tf.int32))
        parts.append(
            operation(part, magnitude / 10.0, tf.gather(sign, position))
        )
    changed = tf.dynamic_stitch(positions, parts)
    changed = tf.ensure_shape(changed, images.shape)
    return tf.clip_by_value(changed, 0.0, 255.0)


def _identity(images, strength, sign):
    return images


def _auto_contrast(images, strength, sign):
    low = tf.reduce_min(images, axis=[1, 2], keepdims=True)
    high = tf.reduce_max(images, axis=[1, 2], keepdims=True)
    stretched = tf.math.divide_no_nan((images - low) * 255.0, high - low)
    return tf.where(high > low, stretched, images)


def _equalize(images, strength, sign):
    height, width, channels = images.shape[1:]
    planes = tf.transpose(tf.cast(tf.round(images), tf.int32), [0, 3, 1, 2])
    planes = tf.reshape(planes, [-1, height * width])
    # Not `bincount`, which gives wrong shapes for an empty batch.
    table = tf.map_fn(
        _equalizing_table, planes, fn_output_signature=tf.TensorSpec([256])
    )
    planes = tf.gather(table, planes, batch_dims=1)
    planes = tf.reshape(planes, [-1, channels, height, width])
    return tf.transpose(planes, [0, 2, 3, 1])


def _equalizing_table(values):
    """The look-up table of one plane, as Pillow computes it."""
    histogram = tf.math.bincount(values, minlength=256, maxlength=256)
    last = tf.gather(histogram, tf.reduce_max(values))
    step = (tf.reduce_sum(histogram) - last) // 255
    below = tf.cumsum(histogram, exclusive=True)
    table = tf.minimum((below + step // 2) // tf.maximum(step, 1), 255)
    return tf.cast(tf.where(step > 0, table, tf.range(256)), tf.float32)


def _rotate(images, strength, sign):
    angle = sign * strength * math.pi / 6
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return _affine(images, cosine, -sine, sine, cosine)


def _shear_x(images, strength, sign):
    return _affine(images, 1.0, 0.3 * strength * sign, 0.0, 1.0)


def _shear_y(images, strength, sign):
    return _affine(images, 1.0, 0.0, 0.3 * strength * sign, 1.0)


def _translate_x(images, strength, sign):
    shift = 0.45 * strength * sign * images.shape[2]
    return _affine(images, 1.0, 0.0, 0.0, 1.0, right=shift)


def _translate_y(images, strength, sign):
    shift = 0.45 * strength * sign * images.shape[1]
    return _affine(images, 1.0, 0.0, 0.0, 1.0, down=shift)


def _affine(images, a, b, c, d, right=0.0, down=0.0):
    """(x, y) comes from (a x + b y + right, c x + d y + down), centred."""
    height, width = images.shape[1:3]
    x, y = (width - 1) / 2, (height - 1) / 2
    rows = [a, b, x - a * x - b * y + right, c, d, y - c * x - d * y + down]
    count = tf.shape(images)[0]
    columns = [tf.broadcast_to(value, [count]) for value in [*rows, 0.0, 0.0]]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(columns, axis=1),
        output_shape=[height, width],
        fill_value=_GREY,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _brightness(images, strength, sign):
    return _blend(tf.zeros_like(images), images, strength, sign)


def _contrast(images, strength, sign):
    mean = tf.reduce_mean(_grey(images), axis=[1, 2, 3], keepdims=True)
    return _blend(mean, images, strength, sign)


def _colour(images, strength, sign):
    return _blend(_grey(images), images, strength, sign)


def _sharpness(images, strength, sign):
    height, width = images.shape[1:3]
    neighbours = [
        images[:, down : height - 2 + down, right : width - 2 + right]
        for down in range(3)
        for right in range(3)
    ]
    blurred = (sum(neighbours) + 4 * neighbours[4]) / 13
    # The border has no neighbours to be blurred with, and stays.
    border = [[0, 0], [1, 1], [1, 1], [0, 0]]
    inside = tf.pad(tf.ones_like(blurred), border) > 0
    blurred = tf.where(inside, tf.pad(blurred, border), images)
    return _blend(blurred, images, strength, sign)


def _blend(other, images, strength, sign):
    factor = 1.0 + 0.9 * strength * sign[:, None, None, None]
    return tf.clip_by_value(other + factor * (images - other), 0.0, 255.0)


def _grey(images):
    if images.shape[3] == 1:
        return images
    return images_.convert_channels(images, 1)


def _posterize(images, strength, sign):
    step = 2.0 ** round(4 * strength)
    return tf.floor(images / step) * step


def _solarize(images, strength, sign):
    threshold = 256.0 * (1.0 - strength)
    return tf.where(images >= threshold, 255.0 - images, images)


_OPERATIONS = (
    _identity,
    _auto_contrast,
    _equalize,
    _rotate,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
    _brightness,
    _contrast,
    _colour,
    _sharpness,
    _posterize,
    _solarize,
)
