"""From a clip as it was recorded to the waveform that a network takes."""

import keras
import tensorflow as tf

from tl_keras import checks
from tl_keras import resampling


@keras.saving.register_keras_serializable("tl_keras")
class Waveform(keras.layers.Layer):
    """Mixes clips to mono, and gives them a network's sample rate and length.

    It has no weights and is made of stock TensorFlow operations, so that a
    served clip is heard as a trained one.

    Args:
        from_rate: Sample rate of the clips, in Hz.
        to_rate: Sample rate of the result, in Hz.
        num_samples: Length of the result in samples: a clip is cut at its
            end, or padded there with zeros. None: what resampling gives.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If a rate or the length is less than 1.

    Example:
        >>> import numpy as np
        >>> stereo = np.ones((1, 8000, 2), "float32")
        >>> Waveform(8000, 16000, num_samples=15600)(stereo).shape
        TensorShape([1, 15600])
    """

    # In the eight bits of a bfloat16, most of what is soft would be silence.
    keeps_float32 = True

    def __init__(
        self, from_rate: int, to_rate: int, num_samples=None, **kwargs
    ):
        checks.integer(from_rate, name="from_rate", low=1)
        checks.integer(to_rate, name="to_rate", low=1)
        if num_samples is not None:
            checks.integer(num_samples, name="num_samples", low=1)
        kwargs = {**kwargs, "dtype": "float32", "autocast": False}
        super().__init__(**kwargs)
        self.from_rate = from_rate
        self.to_rate = to_rate
        self.num_samples = num_samples
        self.built = True

    def call(self, clips):
        """Waveforms of clips.

        Args:
            clips: float32 `[batch, samples]` or `[batch, samples, channels]`,
                values in -1..1.

        Returns:
            float32 `[batch, samples]`.
        """
        if clips.shape.rank == 3:
            clips = tf.reduce_mean(clips, axis=-1)
        waveforms = resampling.resample(clips, self.from_rate, self.to_rate)
        if self.num_samples is None:
            return waveforms
        waveforms = waveforms[:, : self.num_samples]
        missing = self.num_samples - tf.shape(waveforms)[1]
        waveforms = tf.pad(waveforms, [[0, 0], [0, missing]])
        return tf.ensure_shape(waveforms, [None, self.num_samples])

    def get_config(self):
        config = super().get_config()
        config.pop("autocast", None)
        return {
            **config,
            "from_rate": self.from_rate,
            "to_rate": self.to_rate,
            "num_samples": self.num_samples,
        }
