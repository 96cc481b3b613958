"""Decoding and resizing of images, the same for training and for serving.

All of these are stock TensorFlow operations, which run in `tf.data`, in a
`tf.function` and in an exported SavedModel alike.
"""

import tensorflow as tf

from tl_keras import checks

CHANNELS = (1, 3, 4)


def decode(encoded, channels: int = 3):
    """Decodes the bytes of an image file.

    JPEG, PNG, GIF (its first frame), BMP and WebP. Colour images asked for
    with one channel become luminance (0.2989 R + 0.5870 G + 0.1140 B), grey
    images asked for with three are repeated. With one or three channels, a
    transparency channel is dropped, not blended; with four, images without
    one are opaque (255). Orientation tags of cameras are not applied.

    Args:
        encoded: String scalar: the bytes of one file.
        channels: 1, 3 or 4.

    Returns:
        uint8 tensor `[height, width, channels]`.

    Raises:
        ValueError: If `channels` is another number.
        tf.errors.InvalidArgumentError: If the bytes are no such image.

    Example:
        >>> import tensorflow as tf
        >>> from tl_keras.data import images
        >>> png = tf.io.encode_png(tf.zeros([2, 3, 1], tf.uint8))
        >>> tuple(images.decode(png, channels=3).shape)
        (2, 3, 3)
    """
    checks.one_of(channels, CHANNELS, name="channels")
    with_alpha = channels == 4
    image = tf.cond(
        _is_webp(encoded),
        lambda: _decode_webp(encoded, with_alpha),
        lambda: _decode_others(encoded, with_alpha),
    )
    return convert_channels(image, channels)


def convert_channels(images, channels: int):
    """Converts images between grey, RGB and RGBA, by the rules of `decode`.

    Args:
        images: `[..., height, width, 1 or 3 or 4]`, uint8 or float 0..255.
        channels: 1, 3 or 4.

    Returns:
        `[..., height, width, channels]` of the same dtype.

    Raises:
        ValueError: If either number of channels is none of 1, 3, 4.

    Example:
        >>> import tensorflow as tf
        >>> from tl_keras.data import images
        >>> grey = tf.fill([2, 2, 1], 7.0)
        >>> tuple(images.convert_channels(grey, 4)[0, 0].numpy().tolist())
        (7.0, 7.0, 7.0, 255.0)
    """
    checks.one_of(channels, CHANNELS, name="channels")
    images = tf.convert_to_tensor(images)
    given = checks.one_of(images.shape[-1], CHANNELS, name="channels")
    if given == channels:
        return images
    if given == 4:
        images = images[..., :3]
    if channels == 1:
        return _luminance(images)
    if given == 1:
        images = tf.repeat(images, 3, axis=-1)
    if channels == 4:
        opaque = tf.fill(
            tf.concat([tf.shape(images)[:-1], [1]], 0),
            tf.constant(255, images.dtype),
        )
        images = tf.concat([images, opaque], -1)
    return images


def resize(images, size: int, keep_aspect_ratio: bool = False):
    """Resizes images to a square.

    Bilinear; where an image shrinks, over as many pixels as fall into one
    (antialiasing), as Pillow does it.

    Args:
        images: `[height, width, channels]` or `[batch, height, width,
            channels]`, uint8 or float.
        size: Height and width of the result in pixels, at least 1.
        keep_aspect_ratio: Whether to cut out the largest square in the middle
            first. Without it, images that are not square are squeezed.

    Returns:
        `[..., size, size, channels]`: uint8 for uint8 images (rounded),
        float32 for float images.

    Example:
        >>> import tensorflow as tf
        >>> from tl_keras.data import images
        >>> tuple(images.resize(tf.zeros([5, 4, 6, 3], tf.uint8), 2).shape)
        (5, 2, 2, 3)
    """
    checks.integer(size, name="size", low=1)
    images = tf.convert_to_tensor(images)
    if keep_aspect_ratio:
        images = _central_square(images)
    if images.shape[-3] == size and images.shape[-2] == size:
        is_uint8 = images.dtype == tf.uint8
        return images if is_uint8 else tf.cast(images, tf.float32)
    height, width = _height_and_width(images)
    if isinstance(height, int) and isinstance(width, int):
        resized = _bilinear(images, size, size < height or size < width)
    else:
        resized = tf.cond(
            tf.logical_or(size < height, size < width),
            lambda: _bilinear(images, size, True),
            lambda: _bilinear(images, size, False),
        )
    if images.dtype == tf.uint8:
        return to_uint8(resized)
    return resized


def to_uint8(images):
    """Rounds float images to uint8; what is outside of 0..255 is clipped."""
    return tf.saturate_cast(tf.round(images), tf.uint8)


def _is_webp(encoded):
    # Padded, since `substr` fails beyond the end of a string.
    start = tf.strings.substr(encoded, 0, 12) + b"\0" * 12
    is_riff = tf.strings.substr(start, 0, 4) == b"RIFF"
    return is_riff & (tf.strings.substr(start, 8, 4) == b"WEBP")


def _decode_webp(encoded, with_alpha):
    # The decoder gives the channels that the file has, 3 or 4, and no others.
    image = tf.io.decode_image(encoded, expand_animations=False)
    opaque = tf.ones_like(image[..., :1]) * 255
    image = tf.concat([image, opaque], -1)[..., : 4 if with_alpha else 3]
    return tf.ensure_shape(image, [None, None, 4 if with_alpha else 3])


def _decode_others(encoded, with_alpha):
    def decode_as(channels):
        image = tf.io.decode_image(
            encoded, channels=channels, expand_animations=False
        )
        return tf.ensure_shape(image, [None, None, channels])

    if not with_alpha:
        return decode_as(3)
    # JPEG and GIF decoders give no fourth channel, BMP only if there is one.
    return tf.cond(
        tf.strings.substr(encoded, 0, 4) == b"\x89PNG",
        lambda: decode_as(4),
        lambda: convert_channels(decode_as(3), 4),
    )


def _luminance(images):
    weights = tf.constant([0.2989, 0.5870, 0.1140], tf.float32)
    grey = tf.reduce_sum(
        tf.cast(images, tf.float32) * weights, axis=-1, keepdims=True
    )
    if images.dtype == tf.uint8:
        return to_uint8(grey)
    return tf.cast(grey, images.dtype)


def _height_and_width(images):
    static = images.shape[-3:-1]
    dynamic = tf.shape(images)
    return tuple(
        dynamic[axis - 3] if length is None else length
        for axis, length in enumerate(static)
    )


def _central_square(images):
    height, width = _height_and_width(images)
    side = tf.minimum(height, width)
    if isinstance(height, int) and isinstance(width, int):
        side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top : top + side, left : left + side, :]


def _bilinear(images, size, antialias):
    return tf.image.resize(images, [size, size], antialias=antialias)
