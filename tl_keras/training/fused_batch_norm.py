"""BatchNormalization over a batch by TensorFlow's fused kernel.

Keras 3 composes it of many small operations, which on a CPU take about as
long as all convolutions together.
"""

import keras
import tensorflow as tf

# Below, cuDNN refuses: CUDNN_BN_MIN_EPSILON.
_MIN_EPSILON = 1e-5


def can_fuse(layer) -> bool:
    """Whether `normalize` stands for a layer in training mode.

    Args:
        layer: A built layer of a Keras model.

    Example:
        >>> import keras
        >>> layer = keras.layers.BatchNormalization()
        >>> layer.build((None, 8, 8, 3))
        >>> can_fuse(layer), can_fuse(keras.layers.ReLU())
        (True, False)
    """
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.axis in (-1, 3)
        and layer.input_spec.ndim == 4
        and not layer.synchronized
        and layer.compute_dtype == "float32"
        and layer.epsilon >= _MIN_EPSILON
    )


def normalize(layer, images):
    """What a layer gives for a batch in training mode.

    Its moving statistics stay as they are: they are estimated anew before
    they are used, see `batch_norm`.

    Args:
        layer: A layer for which `can_fuse`.
        images: float32 `(batch, height, width, channels)`.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import keras, numpy as np
        >>> layer = keras.layers.BatchNormalization(epsilon=1e-5)
        >>> images = np.random.default_rng(0).normal(3, 5, (4, 8, 8, 2))
        >>> layer.build(images.shape)
        >>> fused = normalize(layer, images.astype("float32")).numpy()
        >>> np.allclose(fused.std(axis=(0, 1, 2)), 1.0, atol=1e-3)
        True
    """
    width = tf.shape(images)[-1:]
    return tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=layer.gamma.value if layer.scale else tf.ones(width),
        offset=layer.beta.value if layer.center else tf.zeros(width),
        mean=[],
        variance=[],
        epsilon=layer.epsilon,
        is_training=True,
    ).y
