"""Temperature scaling: the best one, in the weights, and no class changed."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from scipy import optimize
from scipy import special

from tl_keras.evaluation import predictions
from tl_keras.evaluation import temperature


def draw(count, factor, seed=0):
    """Logits that are `factor` times what they would be if calibrated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 4)) * 2
    chances = special.softmax(logits, axis=1)
    labels = np.array([rng.choice(4, p=row) for row in chances])
    return logits * factor, labels


def model_of(activation):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((5,)), keras.layers.Dense(4, activation=activation)]
    return keras.Sequential(layers)


def dataset():
    rng = np.random.default_rng(0)
    pairs = (rng.normal(size=(300, 5)) * 5, rng.integers(0, 4, 300))
    return tf.data.Dataset.from_tensor_slices(pairs).batch(64)


class OfLogitsTest(parameterized.TestCase):
    @parameterized.parameters(0.3, 1.0, 4.0)
    def test_finds_by_how_much_logits_are_too_large(self, factor):
        logits, labels = draw(5000, factor)
        found = temperature.of_logits(logits, labels)
        self.assertAlmostEqual(found.temperature / factor, 1.0, delta=0.06)
        self.assertLessEqual(found.after["log_loss"], found.before["log_loss"])
        if factor != 1.0:
            self.assertLess(
                found.after["expected_calibration_error"],
                found.before["expected_calibration_error"] / 2,
            )

    def test_no_temperature_near_has_a_lower_log_loss(self):
        logits, labels = draw(200, 2.0)

        def log_loss(inverse):
            rows = special.log_softmax(logits * inverse, axis=1)
            return -rows[np.arange(200), labels].mean()

        expected = optimize.minimize_scalar(
            log_loss,
            bounds=(0.05, 5),
            method="bounded",
            options={"xatol": 1e-9},
        )
        found, _ = temperature.fit(logits, labels)
        self.assertAlmostEqual(found, 1 / expected.x, places=5)

    @parameterized.parameters(
        ([[2.0, 0.0], [0.0, 1.0]], [0, 1], "classified correctly"),
        ([[2.0, 0.0], [1.0, 0.0]], [1, 0], "guessing"),
    )
    def test_is_one_where_there_is_no_best(self, logits, labels, reason):
        found = temperature.of_logits(logits, labels)
        self.assertFalse(found.applied)
        self.assertEqual(found.temperature, 1.0)
        self.assertIn(reason, found.reason)
        self.assertEqual(found.before, found.after)


class CalibrateTest(parameterized.TestCase):
    @parameterized.parameters(None, "softmax")
    def test_changes_the_scores_and_no_class(self, activation):
        model, data = model_of(activation), dataset()
        # Labels that follow the logits, not always.
        logits, _ = predictions.predict_logits(model, data)
        rng = np.random.default_rng(1)
        labels = [
            rng.choice(4, p=row) for row in special.softmax(logits / 3, axis=1)
        ]
        pairs = tf.data.Dataset.zip(
            data.unbatch().map(lambda x, y: x),
            tf.data.Dataset.from_tensor_slices(np.array(labels)),
        ).batch(64)
        found = temperature.calibrate(model, pairs)
        after, _ = predictions.predict_logits(model, pairs)
        self.assertTrue(found.applied)
        self.assertAlmostEqual(found.temperature, 3.0, delta=1.2)
        np.testing.assert_array_equal(
            after.argmax(axis=1), logits.argmax(axis=1)
        )
        np.testing.assert_allclose(
            special.softmax(after, axis=1),
            special.softmax(logits / found.temperature, axis=1),
            atol=1e-5,
        )

    def test_refuses_a_model_that_ends_otherwise(self):
        model = keras.Sequential(
            [keras.Input((5,)), keras.layers.Activation("softmax")]
        )
        with self.assertRaisesRegex(ValueError, "ends in a Dense layer"):
            temperature.calibrate(model, dataset())


if __name__ == "__main__":
    absltest.main()
