import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.training import optimizers
from tl_keras.tuning.phases import Phase

NAMES = ("stem", "stage1", "stage2", "head")


def step(optimizer, variables, gradients):
    optimizer.apply_gradients(
        [(tf.constant(g), v) for g, v in zip(gradients, variables, strict=True)]
    )


class LearningRateTest(parameterized.TestCase):
    def test_cosine_falls_from_peak_to_zero(self):
        phase = Phase(name="a", learning_rate=0.2)
        rate = optimizers.learning_rate(phase, 10, 40)
        for at in (0, 7, 20, 40):
            expected = 0.2 * (1 + np.cos(np.pi * at / 40)) / 2
            self.assertAlmostEqual(float(rate(at)), expected, places=6)

    def test_warm_up_rises_linearly_and_cosine_takes_the_rest(self):
        phase = Phase(name="a", learning_rate=0.2, warmup_epochs=0.5)
        rate = optimizers.learning_rate(phase, 20, 40)
        self.assertAlmostEqual(float(rate(5)), 0.1, places=6)
        self.assertAlmostEqual(float(rate(10)), 0.2, places=6)
        self.assertAlmostEqual(float(rate(25)), 0.1, places=6)

    def test_constant_with_warm_up_stays_at_the_peak(self):
        phase = Phase(
            name="a", learning_rate=0.2, warmup_epochs=1, schedule="constant"
        )
        rate = optimizers.learning_rate(phase, 10, 40)
        self.assertAlmostEqual(float(rate(5)), 0.1, places=6)
        self.assertAlmostEqual(float(rate(39)), 0.2, places=6)

    def test_constant_is_a_number_that_callbacks_can_set(self):
        phase = Phase(name="a", learning_rate=0.2, schedule="constant")
        self.assertEqual(optimizers.learning_rate(phase, 10, 40), 0.2)

    def test_a_warm_up_as_long_as_the_phase_is_refused(self):
        phase = Phase(name="a", warmup_epochs=4)
        with self.assertRaisesRegex(ValueError, "40 steps of 40"):
            optimizers.learning_rate(phase, 10, 40)


class GroupFactorsTest(absltest.TestCase):
    def test_multiply_encoder_factor_depth_and_group(self):
        phase = Phase(
            name="a",
            encoder_rate_factor=0.5,
            depth_decay=0.1,
            rate_factors={"stage1": 3.0},
        )
        factors = optimizers.group_factors(phase, NAMES, NAMES)
        expected = {"stem": 0.005, "stage1": 0.15, "stage2": 0.5, "head": 1.0}
        self.assertEqual(list(factors), list(expected))
        for group, factor in expected.items():
            self.assertAlmostEqual(factors[group], factor)

    def test_names_an_unknown_group(self):
        phase = Phase(name="a", rate_factors={"stage7": 1.0})
        with self.assertRaisesRegex(ValueError, "stage7"):
            optimizers.group_factors(phase, NAMES, NAMES)


class MakeTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.start = rng.normal(size=(2, 3)).astype("float32")
        self.gradient = rng.normal(size=(2, 3)).astype("float32")

    def variables(self, count):
        return [keras.Variable(self.start) for _ in range(count)]

    @parameterized.parameters("sgd", "adam", "adamw", "rmsprop", "lion")
    def test_a_factor_scales_the_whole_step(self, name):
        phase = Phase(name="a", optimizer=name, clip_norm=None)
        full, half = self.variables(2)
        optimizer = optimizers.make(
            phase, 0.1, [(full, 1.0, 0.3), (half, 0.5, 0.3)]
        )
        step(optimizer, [full, half], [self.gradient] * 2)
        np.testing.assert_allclose(
            half.numpy() - self.start,
            (full.numpy() - self.start) / 2,
            rtol=1e-4,
            atol=1e-6,
        )

    def test_adamw_is_keras_adamw(self):
        phase = Phase(name="a", optimizer="adamw", clip_norm=None)
        ours, theirs = self.variables(2)
        optimizer = optimizers.make(phase, 0.1, [(ours, 1.0, 0.3)])
        reference = keras.optimizers.AdamW(0.1, weight_decay=0.3)
        for scale in (1.0, -2.0, 0.5):
            step(optimizer, [ours], [scale * self.gradient])
            step(reference, [theirs], [scale * self.gradient])
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)

    def test_sgd_without_decay_is_keras_sgd_with_momentum(self):
        phase = Phase(name="a", optimizer="sgd", clip_norm=None)
        ours, theirs = self.variables(2)
        optimizer = optimizers.make(phase, 0.1, [(ours, 1.0, 0.0)])
        reference = keras.optimizers.SGD(0.1, momentum=0.9)
        for _ in range(3):
            step(optimizer, [ours], [self.gradient])
            step(reference, [theirs], [self.gradient])
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())

    def test_decay_is_by_variable(self):
        phase = Phase(
            name="a",
            optimizer="sgd",
            optimizer_options={"momentum": 0.0},
            clip_norm=None,
        )
        with_decay, without = self.variables(2)
        optimizer = optimizers.make(
            phase, 0.1, [(with_decay, 1.0, 0.5), (without, 1.0, 0.0)]
        )
        step(optimizer, [with_decay, without], [self.gradient * 0] * 2)
        np.testing.assert_allclose(
            with_decay.numpy(), self.start * (1 - 0.1 * 0.5), rtol=1e-6
        )
        np.testing.assert_array_equal(without.numpy(), self.start)

    def test_clips_by_the_norm_of_all_gradients_together(self):
        phase = Phase(
            name="a",
            optimizer="sgd",
            optimizer_options={"momentum": 0.0},
            clip_norm=0.01,
        )
        first, second = self.variables(2)
        optimizer = optimizers.make(
            phase, 1.0, [(first, 1.0, 0.0), (second, 1.0, 0.0)]
        )
        step(optimizer, [first, second], [self.gradient, 2 * self.gradient])
        moved = [v.numpy() - self.start for v in (first, second)]
        self.assertAlmostEqual(
            np.sqrt(sum(np.sum(m**2) for m in moved)), 0.01, places=5
        )

    def test_takes_kind_and_settings_of_a_keras_optimizer(self):
        given = keras.optimizers.RMSprop(learning_rate=99.0, rho=0.5)
        phase = Phase(name="a", optimizer=given, clip_norm=None)
        ours, theirs = self.variables(2)
        optimizer = optimizers.make(phase, 0.1, [(ours, 1.0, 0.0)])
        step(optimizer, [ours], [self.gradient])
        step(keras.optimizers.RMSprop(0.1, rho=0.5), [theirs], [self.gradient])
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)

    @parameterized.parameters("muon", "lamb", "adafactor", "sgd")
    def test_without_decay_and_gradient_nothing_moves(self, name):
        if name == "muon" and keras.__version__.startswith("3.12."):
            self.skipTest("Muon of Keras 3.12 fails on TensorFlow by itself")
        (variable,) = self.variables(1)
        phase = Phase(name="a", optimizer=name)
        optimizer = optimizers.make(phase, 0.1, [(variable, 1.0, 0.0)])
        step(optimizer, [variable], [self.gradient * 0])
        np.testing.assert_array_equal(variable.numpy(), self.start)

    def test_an_unknown_optimizer_is_named_with_a_proposal(self):
        with self.assertRaisesRegex(ValueError, "Did you mean 'adam"):
            optimizers.make(Phase(name="a", optimizer="adamv"), 0.1, [])


if __name__ == "__main__":
    absltest.main()
