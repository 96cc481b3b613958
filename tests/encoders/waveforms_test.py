"""From a recorded clip to the waveform that a network takes."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from scipy import signal

from tl_keras.encoders.waveforms import Waveform

CLIPS = np.random.default_rng(0).normal(size=(2, 800), scale=0.1)
CLIPS = CLIPS.astype("float32")


class WaveformTest(parameterized.TestCase):
    def test_resamples_as_scipy_does(self):
        expected = signal.resample_poly(CLIPS, 2, 1, axis=1)
        np.testing.assert_allclose(
            Waveform(8000, 16000)(CLIPS), expected, atol=1e-5
        )

    def test_channels_are_mixed_to_their_mean(self):
        stereo = np.stack([CLIPS, 0 * CLIPS], axis=-1)
        np.testing.assert_allclose(
            Waveform(8000, 8000)(stereo), CLIPS / 2, rtol=1e-6
        )

    @parameterized.parameters(500, 800, 1000)
    def test_is_cut_or_padded_at_the_end(self, num_samples):
        result = Waveform(8000, 8000, num_samples=num_samples)(CLIPS).numpy()
        expected = np.pad(CLIPS, [(0, 0), (0, 200)])[:, :num_samples]
        np.testing.assert_array_equal(result, expected)

    def test_its_shape_is_known_before_it_runs(self):
        layer = Waveform(8000, 16000, num_samples=1500)
        self.assertEqual(layer(keras.Input((800,))).shape, (None, 1500))
        layer = Waveform(8000, 16000)
        self.assertEqual(layer(keras.Input((800, 2))).shape, (None, 1600))

    def test_compiles_and_survives_a_file(self):
        clips = keras.Input((800,))
        model = keras.Model(clips, Waveform(8000, 16000, 1500)(clips))
        expected = model(CLIPS).numpy()
        compiled = tf.function(model, jit_compile=True)
        np.testing.assert_allclose(compiled(CLIPS), expected, atol=1e-6)
        path = os.path.join(self.create_tempdir(), "m.keras")
        model.save(path)
        again = keras.models.load_model(path)
        np.testing.assert_array_equal(again(CLIPS), expected)

    def test_stays_in_float32_under_a_mixed_policy(self):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            result = Waveform(8000, 8000)(CLIPS)
        finally:
            keras.config.set_dtype_policy(before)
        np.testing.assert_array_equal(result, CLIPS)


if __name__ == "__main__":
    absltest.main()
