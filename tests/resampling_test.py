"""Resampling agrees with SciPy, however it runs."""

import numpy as np
import scipy.signal
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import resampling

RATES = (
    (44100, 16000),
    (16000, 44100),
    (48000, 16000),
    (16000, 48000),
    (8000, 16000),
    (16000, 8000),
    (22050, 16000),
    (3, 2),
    (1, 7),
    (7, 1),
    (8000, 8000),
)


def random_waveforms(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def expected(waveforms, from_rate, to_rate):
    return scipy.signal.resample_poly(
        waveforms.astype(np.float64), to_rate, from_rate, axis=-1
    )


class ResampleTest(parameterized.TestCase):
    @parameterized.parameters(*RATES)
    def test_gives_what_scipy_gives(self, from_rate, to_rate):
        for samples in (1, 2, 440, 441, 442, 3000):
            waveforms = random_waveforms(2, samples)
            resampled = resampling.resample(waveforms, from_rate, to_rate)
            np.testing.assert_allclose(
                resampled, expected(waveforms, from_rate, to_rate), atol=1e-5
            )

    @parameterized.parameters(*RATES)
    def test_knows_its_length(self, from_rate, to_rate):
        for samples in (0, 1, 441, 1000):
            waveforms = random_waveforms(samples)
            length = resampling.num_samples_after(samples, from_rate, to_rate)
            resampled = resampling.resample(waveforms, from_rate, to_rate)
            self.assertEqual(resampled.shape.as_list(), [length])

    @parameterized.parameters((44100, 16000), (8000, 16000))
    def test_runs_in_a_graph_with_a_free_length(self, from_rate, to_rate):
        @tf.function(input_signature=[tf.TensorSpec([None, 2, None])])
        def resample(waveforms):
            return resampling.resample(waveforms, from_rate, to_rate)

        self.assertEqual(
            resample.get_concrete_function().output_shapes.as_list(),
            [None, 2, None],
        )
        for shape in ((3, 2, 1000), (1, 2, 7), (0, 2, 7), (3, 2, 0)):
            waveforms = random_waveforms(*shape)
            resampled = resample(waveforms).numpy()
            length = resampling.num_samples_after(shape[2], from_rate, to_rate)
            self.assertEqual(resampled.shape, (*shape[:2], length))
            if waveforms.size:
                np.testing.assert_allclose(
                    resampled,
                    expected(waveforms, from_rate, to_rate),
                    atol=1e-5,
                )

    @parameterized.parameters((44100, 16000), (16000, 48000), (16000, 8000))
    def test_xla_compiles_it(self, from_rate, to_rate):
        @tf.function(jit_compile=True)
        def resample(waveforms):
            return resampling.resample(waveforms, from_rate, to_rate)

        waveforms = random_waveforms(3, 1000)
        np.testing.assert_allclose(
            resample(tf.constant(waveforms)),
            expected(waveforms, from_rate, to_rate),
            atol=1e-5,
        )

    def test_runs_in_a_data_set(self):
        waveforms = random_waveforms(4, 500)
        batches = tf.data.Dataset.from_tensor_slices(waveforms).map(
            lambda waveform: resampling.resample(waveform, 8000, 16000)
        )
        self.assertEqual(batches.element_spec.shape.as_list(), [1000])
        np.testing.assert_allclose(
            np.stack(list(batches.as_numpy_iterator())),
            expected(waveforms, 8000, 16000),
            atol=1e-5,
        )

    def test_is_the_same_after_an_export(self):
        module = tf.Module()
        module.resample = tf.function(
            lambda waveforms: resampling.resample(waveforms, 44100, 16000),
            input_signature=[tf.TensorSpec([None, None])],
        )
        folder = self.create_tempdir().full_path
        tf.saved_model.save(module, folder)
        waveforms = random_waveforms(2, 1000)
        np.testing.assert_array_equal(
            tf.saved_model.load(folder).resample(waveforms),
            resampling.resample(waveforms, 44100, 16000),
        )

    def test_has_a_gradient(self):
        waveforms = tf.constant(random_waveforms(1, 300))
        with tf.GradientTape() as tape:
            tape.watch(waveforms)
            total = tf.reduce_sum(resampling.resample(waveforms, 3, 2))
        # It is linear: the gradient tells what each sample adds to the sum.
        gradient = tape.gradient(total, waveforms)
        np.testing.assert_allclose(
            np.sum(gradient * waveforms), total, rtol=1e-4
        )


class AnyRateTest(parameterized.TestCase):
    """At a rate that is known only when it runs."""

    @parameterized.parameters(*RATES, (12345, 16000))
    def test_gives_what_scipy_gives(self, from_rate, to_rate):
        @tf.function(
            input_signature=[
                tf.TensorSpec([2, None]),
                tf.TensorSpec([], tf.int32),
            ]
        )
        def resample(waveforms, rate):
            return resampling.resample_any(waveforms, rate, to_rate)

        for samples in (1, 441, 3000):
            waveforms = random_waveforms(2, samples)
            np.testing.assert_allclose(
                resample(waveforms, from_rate),
                expected(waveforms, from_rate, to_rate),
                atol=1e-5,
            )
        empty = resample(random_waveforms(2, 0), from_rate)
        self.assertEqual(empty.shape, (2, 0))

    @parameterized.parameters(0, -1, 2**31 - 1, 999983)
    def test_rates_without_a_simple_ratio(self, rate):
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, f"no simple ratio.*{rate} Hz"
        ):
            resampling.resample_any(tf.zeros([1, 9]), rate, 16000)

    def test_large_filters_do_not_end_the_process(self):
        waveforms = random_waveforms(2, 3000)
        np.testing.assert_allclose(
            resampling.resample(waveforms, 12345, 16000),
            expected(waveforms, 12345, 16000),
            atol=1e-5,
        )


class ErrorsTest(parameterized.TestCase):
    @parameterized.parameters((0, 8000), (8000, -1))
    def test_a_rate_below_one(self, from_rate, to_rate):
        with self.assertRaisesRegex(ValueError, "_rate` is too small"):
            resampling.resample(tf.zeros([5]), from_rate, to_rate)

    def test_a_rate_that_is_no_whole_number(self):
        with self.assertRaisesRegex(TypeError, "to_rate"):
            resampling.num_samples_after(5, 8000, 16000.0)

    def test_integers(self):
        with self.assertRaisesRegex(TypeError, "int16. Divide"):
            resampling.resample(np.zeros([5], np.int16), 8000, 16000)

    def test_rates_without_a_simple_ratio(self):
        with self.assertRaisesRegex(
            ValueError, "44101 Hz and 16000 Hz.*44101:16000"
        ):
            resampling.num_samples_after(5, 44101, 16000)


if __name__ == "__main__":
    absltest.main()
