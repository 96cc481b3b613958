"""Decides where images are kept, in memory or not, and decodes them."""

import dataclasses

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.data import examples as examples_
from tl_keras.data import files
from tl_keras.data import images as images_
from tl_keras.data import memory
from tl_keras.data import reading

MEMORY_SHARE = 0.25
_DECODE_BATCH = 64


def prepare(splits, choices):
    """Readers of batches for the images of examples.

    Images are kept decoded where they fit: in their own size where all have
    the same and it is no larger than what is asked for, else in the size
    asked for. Whether they are kept changes the time, never the values.

    Args:
        splits: Dict of split name to `Pixels` or `Encoded`.
        choices: A `Choices`. `image_size` None stands for the images' own
            size, if all have the same and are square; `channels` None for the
            arrays' own. With `cache`,
            "auto" keeps decoded images in memory if all splits together take
            at most a quarter of what is available.

    Returns:
        Dict of split name to reader, and an `ImageSpec` of what they read.

    Raises:
        ValueError: If an image cannot be decoded (the message names it), or
            `image_size` is None and the images differ in size, or `channels`
            is none of 1, 3, 4.
    """
    if choices.channels is not None:
        checks.one_of(choices.channels, images_.CHANNELS, name="channels")
    plan = _Plan(
        choices.image_size,
        choices.channels,
        choices.keep_aspect_ratio,
        choices.cache,
    )
    if isinstance(splits["train"], examples_.Pixels):
        readers, image_size = _from_pixels(splits, plan)
    else:
        readers, image_size = _from_encoded(splits, plan)
    return readers, input_specs.ImageSpec(
        size=image_size, channels=readers["train"].channels
    )


@dataclasses.dataclass(frozen=True)
class _Plan:
    image_size: int | None
    channels: int | None
    keep_aspect_ratio: bool
    cache: object

    def fits(self, num_images, shape, bytes_per_value=1):
        if self.cache != "auto":
            return self.cache
        needed = num_images * int(np.prod(shape)) * bytes_per_value
        return needed <= MEMORY_SHARE * memory.available_bytes()


def _from_pixels(splits, plan):
    arrays = {
        split: _with_channels(pixels.array, plan.channels)
        for split, pixels in splits.items()
    }
    size = plan.image_size
    if size is None:
        size = _own_size([array.shape[1:3] for array in arrays.values()])
    first = arrays["train"]
    count = sum(map(len, arrays.values()))
    if plan.fits(count, (size, size, first.shape[-1]), first.itemsize):
        arrays = {
            split: _shrunk(array, size, plan) for split, array in arrays.items()
        }
    readers = {
        split: _in_memory(array, size, plan) for split, array in arrays.items()
    }
    return readers, size


def _with_channels(array, channels):
    if channels in (None, array.shape[-1]):
        return array
    with tf.device("CPU:0"):
        return images_.convert_channels(array, channels).numpy()


def _own_size(sizes):
    sizes = sorted(set(sizes))
    if len(sizes) == 1 and sizes[0][0] == sizes[0][1]:
        return sizes[0][0]
    shown = ", ".join(f"{height} x {width}" for height, width in sizes[:4])
    raise ValueError(
        "The images have no common square size of their own. Got (height x "
        f"width): {shown}. Pass `image_size=`, to which they are resized."
    )


def _shrunk(array, size, plan):
    """The array, or a smaller one of images resized once and for all."""
    if array.shape[1] * array.shape[2] <= size * size:
        return array
    resized = np.empty((len(array), size, size, array.shape[-1]), array.dtype)
    # On the CPU, where they would be resized if they were not kept.
    with tf.device("CPU:0"):
        for start in range(0, len(array), _DECODE_BATCH):
            part = slice(start, start + _DECODE_BATCH)
            resized[part] = images_.resize(
                array[part], size, plan.keep_aspect_ratio
            )
    return resized


def _in_memory(array, size, plan):
    # A GPU has no use for all of the images at once.
    with tf.device("CPU:0"):
        images = tf.constant(array)
    return reading.InMemory(images, size, plan.keep_aspect_ratio)


def _from_encoded(encoded, plan):
    own_shape = _first_shape(encoded["train"], plan)
    if plan.image_size is None:
        return _in_own_size(encoded, own_shape, plan)
    size = plan.image_size
    shape = (size, size, plan.channels)
    count = sum(map(len, encoded.values()))
    smaller = own_shape[0] * own_shape[1] <= size * size
    if smaller and plan.fits(count, own_shape):
        try:
            return _in_own_size(encoded, own_shape, plan)
        except _ShapesDiffer:
            pass
    readers = {
        split: _on_the_fly(images, shape, size, plan)
        for split, images in encoded.items()
    }
    if plan.fits(count, shape):
        for split, reader in readers.items():
            array = _decode_all(reader, encoded[split])
            readers[split] = _in_memory(array, size, plan)
    return readers, size


class _ShapesDiffer(ValueError):
    pass


def _first_shape(encoded, plan):
    reader = _on_the_fly(encoded.take([0]), (None, None, None), None, plan)
    try:
        return tuple(reader.decode(0).shape)
    except tf.errors.OpError as error:
        raise _cannot_decode(encoded.names[0]) from error


def _in_own_size(encoded, shape, plan):
    size = plan.image_size or _own_size([shape[:2]])
    if not plan.fits(sum(map(len, encoded.values())), shape):
        raise ValueError(
            "Only images kept in memory are known to have the same size, and "
            "these are not kept (too many, or `cache=False`). Pass "
            f"`image_size=`, e.g. {size}."
        )
    readers = {}
    for split, images in encoded.items():
        reader = _on_the_fly(images, shape, None, plan)
        array = _decode_all(reader, images)
        readers[split] = _in_memory(array, size, plan)
    return readers, size


def _on_the_fly(encoded, shape, image_size, plan):
    with tf.device("CPU:0"):
        return reading.OnTheFly(
            values=tf.constant(encoded.values, tf.string),
            are_paths=encoded.are_paths,
            names=tf.constant(encoded.names, tf.string),
            channels=plan.channels,
            image_size=image_size,
            keep_aspect_ratio=plan.keep_aspect_ratio,
            shape=shape,
        )


def _decode_all(reader, encoded):
    """All images as one uint8 array, decoded in parallel."""
    images = np.empty((len(encoded), *reader.shape), np.uint8)
    batches = (
        tf.data.Dataset.range(len(encoded))
        .batch(_DECODE_BATCH)
        .map(reader.try_to_read, tf.data.AUTOTUNE, deterministic=True)
        .prefetch(2)
    )
    start = 0
    for batch, failed in batches:
        if failed >= 0:
            _explain(reader, encoded, start + int(failed))
        images[start : start + len(batch)] = batch
        start += len(batch)
    return images


def _explain(reader, encoded, index):
    """Raises the error of the image that could not be read."""
    try:
        shape = tuple(reader.decode(index).shape)
    except tf.errors.OpError as error:
        raise _cannot_decode(encoded.names[index]) from error
    raise _ShapesDiffer(
        "The images differ in size. Got (height, width, channels): "
        f"{shape} in {encoded.names[index]}, and {reader.shape} before. Pass "
        "`image_size=`, to which they are resized."
    )


def _cannot_decode(name):
    return ValueError(
        f"{name} cannot be decoded. {files.EXPECTED} Remove or replace it."
    )
