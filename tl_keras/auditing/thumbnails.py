"""A small grey picture of each example, on which copies are recognised."""

import numpy as np
import tensorflow as tf

from tl_keras.auditing import resizing

SIZE_PX = 32
_LUMINANCE = np.array([0.2989, 0.5870, 0.1140], np.float32)
# Of the picture of a sound: samples in a window, and between two.
_WINDOW, _STEP = 512, 128


def of(collection) -> np.ndarray:
    """A thumbnail of each image, or of each clip's spectrogram.

    Args:
        collection: A `Collection` of images or clips.

    Returns:
        uint8 array `[examples, 32, 32]`, a kilobyte each.
    """
    make = _of_images if collection.kind == "image" else _of_clips
    made = np.empty((len(collection), SIZE_PX, SIZE_PX), np.uint8)
    for start, batch in collection.batches():
        pictures = make(batch)
        height, width = pictures.shape[1:]
        small = resizing.apply(
            pictures,
            resizing.matrix(height, SIZE_PX),
            resizing.matrix(width, SIZE_PX),
        )
        made[start : start + len(batch)] = np.clip(np.rint(small), 0, 255)
    return made


def _of_images(images):
    images = images.astype(np.float32)
    return (
        images[..., 0]
        if images.shape[-1] == 1
        else (images[..., :3] @ _LUMINANCE)
    )


def _of_clips(clips):
    if clips.ndim == 3:
        clips = clips.mean(axis=-1)
    lacking = max(0, _WINDOW - clips.shape[1])
    clips = np.pad(clips, [[0, 0], [0, lacking]])
    spectrum = np.abs(tf.signal.stft(clips, _WINDOW, _STEP).numpy())
    loudness = np.log(spectrum + 1e-4)
    loudness -= loudness.min(axis=(1, 2), keepdims=True)
    loudness /= loudness.max(axis=(1, 2), keepdims=True) + 1e-6
    return 255 * loudness
