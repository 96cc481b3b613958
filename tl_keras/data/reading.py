"""Readers: from the indices of examples to batches of equally sized images."""

import dataclasses

import tensorflow as tf

from tl_keras.data import files
from tl_keras.data import images as images_


@dataclasses.dataclass(frozen=True, eq=False)
class InMemory:
    """Decoded images in memory, resized as they are read.

    Attributes:
        images: Tensor `[examples, height, width, channels]`, uint8 or float32.
        image_size: Height and width of what `read` gives, in pixels.
        keep_aspect_ratio: See `images.resize`.
    """

    images: tf.Tensor
    image_size: int
    keep_aspect_ratio: bool

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.images.shape[-1]

    def read(self, indices):
        """Images `[batch, image_size, image_size, channels]` at `indices`."""
        return images_.resize(
            tf.gather(self.images, indices),
            self.image_size,
            self.keep_aspect_ratio,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class OnTheFly:
    """Encoded images, which are decoded each time they are read.

    Attributes:
        values: String tensor `[examples]`: encoded images, or paths of files.
        are_paths: Whether `values` are paths.
        names: String tensor `[examples]`: how an error speaks of each image.
        channels: 1, 3 or 4.
        image_size: Height and width of what `read` gives, in pixels; None for
            the size that `shape` says.
        keep_aspect_ratio: See `images.resize`.
        shape: Height, width and channels of what `read` gives.
    """

    values: tf.Tensor
    are_paths: bool
    names: tf.Tensor
    channels: int
    image_size: int | None
    keep_aspect_ratio: bool
    shape: tuple[int, int, int]

    def read(self, indices):
        """Images `[batch, height, width, channels]`, uint8, at `indices`.

        Raises:
            tf.errors.InvalidArgumentError: If one of them cannot be decoded.
                The message names the first such file.
        """
        images, failed = self.try_to_read(indices)
        name = tf.gather(self.names, tf.gather(indices, tf.maximum(failed, 0)))
        message = tf.strings.join(
            [name, " cannot be decoded. " + files.EXPECTED]
        )
        check = tf.debugging.Assert(failed < 0, [message])
        with tf.control_dependencies([check]):
            return tf.identity(images)

    def try_to_read(self, indices):
        """Like `read`, but says which image failed instead of failing.

        Args:
            indices: int64 tensor `[batch]`, not empty.

        Returns:
            The images, and an int64 scalar: the position in `indices` of the
            first image that cannot be decoded or has another shape, or -1.
            Unless it is -1, the images are of no use.
        """
        batch_size = tf.size(indices, out_type=tf.int64)
        # A graph has no `try`. But there is a data set that leaves out what
        # fails, and the first position that is missing from it has failed.
        # The last element keeps the batch from being empty.
        last = tf.zeros(self.shape, tf.uint8)
        positions, images = (
            tf.data.Dataset.from_tensor_slices(tf.gather(self.values, indices))
            .enumerate()
            .map(lambda position, value: (position, self._decode(value)))
            .ignore_errors()
            .concatenate(tf.data.Dataset.from_tensors((batch_size, last)))
            .batch(batch_size + 1)
            .get_single_element()
        )
        expected = tf.range(tf.size(positions, out_type=tf.int64))
        failed = tf.concat(
            [tf.boolean_mask(expected, positions != expected), [-1]], 0
        )
        return images[:-1], failed[0]

    def decode(self, index: int):
        """One image, whatever its shape, when called outside of a graph."""
        return self._decode(self.values[index], check=False)

    def _decode(self, value, check=True):
        encoded = tf.io.read_file(value) if self.are_paths else value
        image = images_.decode(encoded, self.channels)
        if self.image_size is not None:
            image = images_.resize(
                image, self.image_size, self.keep_aspect_ratio
            )
        return tf.ensure_shape(image, self.shape) if check else image
