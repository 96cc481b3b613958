"""Decides where images are kept, in memory or not, and decodes them."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.data import examples as examples_
from tl_keras.data import files
from tl_keras.data import images as images_
from tl_keras.data import memory
from tl_keras.data import reading

_RESIZE_BATCH = 64


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
        readers, size, channels = _from_pixels(splits, plan)
    else:
        readers, size, channels = _from_encoded(splits, plan)
    return readers, input_specs.ImageSpec(size=size, channels=channels)


@dataclasses.dataclass(frozen=True)
class _Plan:
    image_size: int | None
    channels: int | None
    keep_aspect_ratio: bool
    cache: object

    def fits(self, num_images, shape, bytes_per_value=1):
        needed = num_images * int(np.prod(shape)) * bytes_per_value
        return memory.should_keep(needed, self.cache)


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
    return readers, size, first.shape[-1]


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
        for start in range(0, len(array), _RESIZE_BATCH):
            part = slice(start, start + _RESIZE_BATCH)
            resized[part] = images_.resize(
                array[part], size, plan.keep_aspect_ratio
            )
    return resized


def _in_memory(array, size, plan):
    return reading.InMemory(
        reading.constant(array),
        functools.partial(
            images_.resize, size=size, keep_aspect_ratio=plan.keep_aspect_ratio
        ),
    )


def _from_encoded(encoded, plan):
    own_shape = _first_shape(encoded["train"], plan)
    size, channels = plan.image_size, plan.channels
    if size is None:
        try:
            readers, size = _in_own_size(encoded, own_shape, plan)
        except reading.ShapesDiffer as error:
            raise ValueError(
                f"{error} Pass `image_size=`, to which images are resized."
            ) from error
        return readers, size, channels
    count = sum(map(len, encoded.values()))
    smaller = own_shape[0] * own_shape[1] <= size * size
    if smaller and plan.fits(count, own_shape):
        try:
            readers, _ = _in_own_size(encoded, own_shape, plan)
            return readers, size, channels
        except reading.ShapesDiffer:
            pass
    shape = (size, size, channels)
    readers = {
        split: _on_the_fly(images, shape, size, plan)
        for split, images in encoded.items()
    }
    if plan.fits(count, shape):
        for split, reader in readers.items():
            array = reading.read_all(reader)
            readers[split] = _in_memory(array, size, plan)
    return readers, size, channels


def _first_shape(encoded, plan):
    first = encoded.take([0])
    return _on_the_fly(first, (None, None, None), None, plan).shape_of(0)


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
        array = reading.read_all(reader)
        readers[split] = _in_memory(array, size, plan)
    return readers, size


def _on_the_fly(encoded, shape, image_size, plan):
    content = reading.contents(encoded.values, are_paths=encoded.are_paths)

    def decode(index):
        image = images_.decode(content(index), plan.channels)
        if image_size is None:
            return image
        return images_.resize(image, image_size, plan.keep_aspect_ratio)

    return reading.OnTheFly(
        decode,
        names=reading.constant(encoded.names, tf.string),
        expected=files.EXPECTED,
        shape=shape,
        dtype=tf.uint8,
    )
