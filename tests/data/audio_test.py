"""Decoding and the form of clips, against NumPy, SciPy and `wave`."""

import files_for_tests
import numpy as np
import scipy.signal
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import input_specs
from tl_keras.data import audio


def random_waveforms(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


class DecodeTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 6)
    def test_gives_what_was_written_divided_by_32768(self, channels):
        samples = files_for_tests.random_samples(50, channels)
        samples[:2] = [[-(2**15)], [2**15 - 1]]
        encoded = files_for_tests.wav(samples, 11025)
        waveform, sample_rate = audio.decode(encoded)
        np.testing.assert_array_equal(waveform, samples / np.float32(32768))
        self.assertEqual(int(sample_rate), 11025)

    def test_integers_survive_the_way_to_floats_and_back(self):
        samples = np.arange(-(2**15), 2**15).astype(np.int16)
        floats = audio.to_float(tf.constant(samples))
        self.assertBetween(np.min(floats), -1, 1)
        np.testing.assert_array_equal(audio.to_int16(floats), samples)


class ConvertChannelsTest(parameterized.TestCase):
    def test_one_is_the_mean(self):
        waveforms = random_waveforms(2, 5, 3)
        np.testing.assert_allclose(
            audio.convert_channels(waveforms, 1)[..., 0],
            waveforms.mean(axis=-1),
            rtol=1e-5,
        )

    def test_one_is_repeated(self):
        waveforms = random_waveforms(2, 5, 1)
        np.testing.assert_array_equal(
            audio.convert_channels(waveforms, 3),
            np.repeat(waveforms, 3, axis=-1),
        )

    def test_as_many_stay_as_they_are(self):
        waveforms = random_waveforms(5, 2)
        np.testing.assert_array_equal(
            audio.convert_channels(waveforms, 2), waveforms
        )

    def test_two_do_not_become_three(self):
        with self.assertRaisesRegex(ValueError, "2 channels cannot become 3"):
            audio.convert_channels(random_waveforms(5, 2), 3)

    def test_their_number_may_be_known_late(self):
        @tf.function(input_signature=[tf.TensorSpec([None, None])])
        def convert(waveform):
            return audio.convert_channels(waveform, 2)

        for channels in (1, 2):
            waveform = random_waveforms(5, channels)
            np.testing.assert_array_equal(
                convert(waveform), waveform + np.zeros([5, 2], np.float32)
            )
        with self.assertRaises(tf.errors.InvalidArgumentError):
            convert(random_waveforms(5, 3))


class SetLengthTest(parameterized.TestCase):
    @parameterized.parameters(1, 4, 5, 9)
    def test_cuts_or_adds_zeros_at_the_end(self, length):
        waveforms = random_waveforms(2, 5, 2)
        expected = np.zeros([2, 9, 2], np.float32)
        expected[:, :5] = waveforms
        np.testing.assert_array_equal(
            audio.set_length(waveforms, length), expected[:, :length]
        )

    def test_makes_a_free_length_static(self):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 1])])
        def set_length(waveforms):
            return audio.set_length(waveforms, 7)

        function = set_length.get_concrete_function()
        self.assertEqual(function.output_shapes.as_list(), [None, 7, 1])
        self.assertEqual(set_length(tf.ones([2, 9, 1])).shape, [2, 7, 1])


class ToClipsTest(parameterized.TestCase):
    @parameterized.product(
        given=(1, 2), wanted=(1, 2), num_samples=(None, 100, 900)
    )
    def test_does_one_after_the_other(self, given, wanted, num_samples):
        spec = input_specs.AudioSpec(
            sample_rate=16000, num_samples=num_samples, channels=wanted
        )
        waveforms = random_waveforms(3, 400, given)
        expected = waveforms
        if wanted == 1:
            expected = expected.mean(axis=-1, keepdims=True)
        expected = expected + np.zeros([wanted], np.float32)
        expected = scipy.signal.resample_poly(expected, 2, 1, axis=1)
        padded = np.pad(expected, [(0, 0), (0, 200), (0, 0)])
        expected = padded[:, : num_samples or 800]
        if wanted == 1:
            expected = expected[..., 0]
        clips = audio.to_clips(waveforms, 8000, spec)
        self.assertEqual(clips.shape[1:].as_list(), list(expected.shape[1:]))
        np.testing.assert_allclose(clips, expected, atol=1e-5)

    def test_runs_in_an_exported_model(self):
        spec = input_specs.AudioSpec(sample_rate=8000, num_samples=300)
        module = tf.Module()
        module.clip = tf.function(
            lambda encoded: audio.to_clips(
                audio.decode(encoded)[0], 16000, spec
            ),
            input_signature=[tf.TensorSpec([], tf.string)],
        )
        folder = self.create_tempdir().full_path
        tf.saved_model.save(module, folder)
        samples = files_for_tests.random_samples(500, 2)
        clip = tf.saved_model.load(folder).clip(
            tf.constant(files_for_tests.wav(samples, 16000))
        )
        expected = scipy.signal.resample_poly(
            samples.mean(axis=1) / 32768, 1, 2
        )
        np.testing.assert_allclose(clip[:250], expected, atol=1e-5)
        np.testing.assert_array_equal(clip[250:], np.zeros(50))


if __name__ == "__main__":
    absltest.main()
