"""Random changes to batches of images, given the random numbers.

Images are `[batch, height, width, channels]`, uint8 or float32 in 0..255, and
numbers are float32 in [0, 1), one row per image (see `randomness.tables`), so
that every function here is a plain function of its arguments.
"""

import tensorflow as tf

from tl_keras.data import images as images_
from tl_keras.data import rand_augment

_LARGEST_ASPECT_RATIO = 4 / 3


def augment(images, labels, numbers, augmentation):
    """Applies an `Augmentation` to a batch.

    Args:
        images: `[batch, height, width, channels]`, uint8 or float32 0..255.
        labels: float32 `[batch, classes]`, or integers `[batch]` if the
            augmentation does not mix labels.
        numbers: What `randomness.tables` gives, gathered for the batch.
        augmentation: An `Augmentation`.

    Returns:
        The images, of the same dtype (uint8 is rounded once, at the end), and
        the labels.
    """
    if augmentation.flip:
        images = flip(images, numbers["flip"])
    if augmentation == type(augmentation)(flip=augmentation.flip):
        return images, labels
    is_uint8 = images.dtype == tf.uint8
    images = tf.cast(images, tf.float32)
    if augmentation.crop:
        images = crop(images, numbers["crop"], augmentation.crop)
    for layer in range(augmentation.rand_augment_layers):
        images = rand_augment.apply(
            images,
            numbers["rand_augment"][:, layer],
            augmentation.rand_augment_magnitude,
        )
    if augmentation.mixes_labels:
        images, labels = _mix(images, labels, numbers)
    return images_.to_uint8(images) if is_uint8 else images, labels


def flip(images, numbers):
    """Mirrors the images whose number `[batch]` is below one half."""
    chosen = numbers[:, None, None, None] < 0.5
    return tf.where(chosen, tf.reverse(images, axis=[2]), images)


def crop(images, numbers, strength: float):
    """Cuts out a part of each image and enlarges it to the image's size.

    Args:
        images: float32 `[batch, height, width, channels]`.
        numbers: `[batch, 4]`: for area, aspect ratio, top and left.
        strength: Largest share of the area that is left out, in [0, 1).

    Returns:
        float32 images of the same shape.
    """
    area = 1.0 - strength * numbers[:, 0]
    # Any wider, and the part would be wider than the image.
    widest = tf.minimum(_LARGEST_ASPECT_RATIO, 1.0 / area)
    aspect_ratio = tf.pow(widest, 2.0 * numbers[:, 1] - 1.0)
    height = tf.sqrt(area / aspect_ratio)
    width = tf.sqrt(area * aspect_ratio)
    top = numbers[:, 2] * (1.0 - height)
    left = numbers[:, 3] * (1.0 - width)
    return tf.image.crop_and_resize(
        images,
        boxes=tf.stack([top, left, top + height, left + width], axis=1),
        box_indices=tf.range(tf.shape(images)[0]),
        crop_size=images.shape[1:3],
    )


def mixup(images, labels, own_share):
    """Blends each image and label with the next one of the batch.

    Args:
        images: Float `[batch, height, width, channels]`, or features of any
            shape `[batch, ...]`.
        labels: float32 `[batch, classes]`.
        own_share: float32 `[batch]` in [0, 1]: how much stays.

    Returns:
        Images and labels of the same shapes.
    """
    ones = [1] * (len(images.shape) - 1)
    share = tf.reshape(tf.cast(own_share, images.dtype), [-1, *ones])
    mixed = share * images + (1.0 - share) * _next(images)
    return mixed, _mix_labels(labels, own_share)


def cutmix(images, labels, own_share, centre):
    """Pastes a rectangle of the next image of the batch into each image.

    Args:
        images: float32 `[batch, height, width, channels]`.
        labels: float32 `[batch, classes]`.
        own_share: float32 `[batch]` in [0, 1]: how much of the area stays if
            the rectangle lies within the image.
        centre: float32 `[batch, 2]` in [0, 1): the rectangle's centre.

    Returns:
        Images, and labels mixed by the area that was really pasted.
    """
    height, width = images.shape[1:3]
    side = tf.sqrt(1.0 - own_share)
    rows = _between(centre[:, 0], side, height)
    columns = _between(centre[:, 1], side, width)
    pasted = rows[:, :, None, None] & columns[:, None, :, None]
    area = tf.reduce_mean(tf.cast(pasted, tf.float32), axis=[1, 2, 3])
    images = tf.where(pasted, _next(images), images)
    return images, _mix_labels(labels, 1.0 - area)


def _mix(images, labels, numbers):
    if "cutmix" not in numbers:
        return mixup(images, labels, numbers["mixup"])
    own_share, centre = numbers["cutmix"], numbers["box"]
    pasted, pasted_labels = cutmix(images, labels, own_share, centre)
    if "mixup" not in numbers:
        return pasted, pasted_labels
    blended, blended_labels = mixup(images, labels, numbers["mixup"])
    blend = numbers["which"] < 0.5
    return (
        tf.where(blend[:, None, None, None], blended, pasted),
        tf.where(blend[:, None], blended_labels, pasted_labels),
    )


def _next(batch):
    return tf.roll(batch, shift=-1, axis=0)


def _mix_labels(labels, own_share):
    share = own_share[:, None]
    return share * labels + (1.0 - share) * _next(labels)


def _between(centre, side, length):
    """Bool `[batch, length]`: which pixels lie in the rectangle's range."""
    first = tf.round((centre - side / 2) * length)[:, None]
    last = tf.round((centre + side / 2) * length)[:, None]
    pixels = tf.range(length, dtype=tf.float32)[None]
    return (pixels >= first) & (pixels < last)
