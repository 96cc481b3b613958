"""A small picture of each example, on which copies can be recognised."""

import tempfile

import numpy as np
import tensorflow as tf

SIZE_PX = 32
# Of the picture of a sound: samples in a window, and between two.
_WINDOW, _STEP = 512, 128


def of(collection) -> np.ndarray:
    """A thumbnail of each image, or of each clip's spectrogram.

    Args:
        collection: A `Collection` of images or clips.

    Returns:
        uint8 array `[examples, 32, 32, 3]`, mapped from a temporary file, so
        that it takes no memory.
    """
    make = tf.function(
        _of_images if collection.kind == "image" else _of_clips,
        reduce_retracing=True,
    )
    shape = (len(collection), SIZE_PX, SIZE_PX, 3)
    file = tempfile.TemporaryFile()  # Gone when the array is.
    made = np.memmap(file, np.uint8, "w+", shape=shape)
    for start, batch in collection.batches():
        made[start : start + len(batch)] = make(batch)
    return made


def _of_images(images):
    images = tf.cast(images, tf.float32)
    if images.shape[-1] == 1:
        images = tf.repeat(images, 3, axis=-1)
    return _to_uint8(_resized(images[..., :3]))


def _of_clips(clips):
    if len(clips.shape) == 3:
        clips = tf.reduce_mean(clips, axis=-1)
    lacking = tf.maximum(0, _WINDOW - tf.shape(clips)[1])
    clips = tf.pad(clips, [[0, 0], [0, lacking]])
    loudness = tf.math.log(tf.abs(tf.signal.stft(clips, _WINDOW, _STEP)) + 1e-4)
    loudness -= tf.reduce_min(loudness, axis=[1, 2], keepdims=True)
    loudness /= tf.reduce_max(loudness, axis=[1, 2], keepdims=True) + 1e-6
    return _to_uint8(tf.repeat(_resized(255 * loudness[..., None]), 3, -1))


def _resized(pictures):
    return tf.image.resize(pictures, [SIZE_PX, SIZE_PX], antialias=True)


def _to_uint8(pictures):
    return tf.saturate_cast(tf.round(pictures), tf.uint8)
