"""Tests of a classifier as a function to logits."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.interpretation import class_scores

KERNEL = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
BIAS = np.array([0.1, 0.2, 0.3], np.float32)
INPUTS = np.array([[1.0, 2.0], [-3.0, 0.5]], np.float32)
LOGITS = INPUTS @ KERNEL + BIAS


def ended(end):
    """A model of one Dense layer, whose end is `end` of its Keras tensor."""
    inputs = keras.Input((2,))
    model = keras.Model(inputs, end(inputs))
    model.set_weights([KERNEL, BIAS])
    return model


def dense(activation=None):
    return keras.layers.Dense(3, activation=activation)


ENDS = {
    "logits": lambda x: dense()(x),
    "dense_with_softmax": lambda x: dense("softmax")(x),
    "softmax_layer": lambda x: keras.layers.Softmax()(dense()(x)),
    "activation": lambda x: keras.layers.Activation("softmax")(dense()(x)),
    "operation": lambda x: keras.ops.softmax(dense()(x)),
    "float32_behind": lambda x: keras.layers.Activation("linear")(
        dense("softmax")(x)
    ),
    "sigmoid": lambda x: dense("sigmoid")(x),
}


class ClassScoresTest(parameterized.TestCase):
    @parameterized.named_parameters(ENDS.items())
    def test_gives_the_logits_of_a_model_with_any_end(self, end):
        scores = class_scores.ClassScores(ended(end))
        np.testing.assert_allclose(scores.all_logits(INPUTS), LOGITS, 1e-5)

    @parameterized.named_parameters(ENDS.items())
    def test_gives_the_probabilities_that_the_model_gives(self, end):
        model = ended(end)
        given = class_scores.ClassScores(model).probabilities(INPUTS)
        expected = model(INPUTS).numpy()
        if end is ENDS["logits"]:
            expected = tf.nn.softmax(expected).numpy()
        np.testing.assert_allclose(given, expected, 1e-5)

    def test_leaves_the_activation_as_it_was(self):
        model = ended(ENDS["dense_with_softmax"])
        class_scores.ClassScores(model).all_logits(INPUTS)
        self.assertEqual(model.layers[-1].activation.__name__, "softmax")
        np.testing.assert_allclose(model(INPUTS).numpy().sum(axis=1), 1, 1e-6)

    def test_opens_models_within_models(self):
        inner = ended(ENDS["dense_with_softmax"])
        inputs = keras.Input((2,))
        model = keras.Model(inputs, keras.Sequential([inner])(inputs))
        scores = class_scores.ClassScores(model)
        np.testing.assert_allclose(scores.all_logits(INPUTS), LOGITS, 1e-5)

    def test_many_inputs_are_read_in_batches(self):
        scores = class_scores.ClassScores(ended(ENDS["logits"]))
        many = np.tile(INPUTS, (40, 1))
        np.testing.assert_allclose(
            scores.all_logits(many), np.tile(LOGITS, (40, 1)), 1e-5
        )

    def test_explains_the_predicted_class_unless_told_otherwise(self):
        scores = class_scores.ClassScores(ended(ENDS["logits"]))
        np.testing.assert_array_equal(
            scores.chosen(INPUTS), LOGITS.argmax(axis=1)
        )
        np.testing.assert_array_equal(scores.chosen(INPUTS, 2), [2, 2])
        with self.assertRaisesRegex(ValueError, "Expected an index from 0"):
            scores.chosen(INPUTS, [0, 3])

    def test_refuses_what_is_no_classifier(self):
        inputs = keras.Input((4, 4, 3))
        model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
        with self.assertRaisesRegex(ValueError, "is no classifier"):
            class_scores.ClassScores(model)
        with self.assertRaisesRegex(TypeError, "must be a keras.Model"):
            class_scores.ClassScores("model.keras")

    def test_refuses_a_model_whose_graph_is_not_known(self):
        class Subclassed(keras.Model):
            def call(self, inputs):
                return inputs

        with self.assertRaisesRegex(TypeError, "Make it Functional"):
            class_scores.ClassScores(Subclassed())


if __name__ == "__main__":
    absltest.main()
