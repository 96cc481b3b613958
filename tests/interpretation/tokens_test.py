"""Tests of which words speak for a class, where the answer is known."""

import encoders_for_tests
import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import text_parts
from tl_keras.interpretation import tokens

WEIGHTS = {"good": 4.0, "bad": -3.0, "film": 0.5}


def bag_of_words():
    """A linear model: each word that is there adds its weight to class 1."""
    texts = keras.Input((), dtype="string")
    bag = keras.layers.TextVectorization(
        vocabulary=list(WEIGHTS), output_mode="multi_hot"
    )
    model = keras.Model(texts, keras.layers.Dense(2)(bag(texts)))
    # The first place is for unknown words.
    kernel = np.zeros((1 + len(WEIGHTS), 2), np.float32)
    kernel[1:, 1] = list(WEIGHTS.values())
    model.set_weights([kernel, np.zeros(2)])
    return model


class TokenAttributionsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("occlusion", 1e-6), ("shap", 1e-5), ("lime", 0.2)
    )
    def test_of_a_linear_model_are_its_weights(self, method, tolerance):
        [found] = tokens.token_attributions(
            bag_of_words(), ["A good, bad film"], classes=1, method=method
        )
        words = [word for word, _ in found]
        self.assertEqual(words, ["A", "good", ",", "bad", "film"])
        np.testing.assert_allclose(
            [value for _, value in found], [0, 4, 0, -3, 0.5], atol=tolerance
        )

    def test_gradients_at_an_embedding_sum_to_the_difference(self):
        folder = self.create_tempdir().full_path
        model = tl_keras.build(
            encoders_for_tests.small_bert(folder),
            tl_keras.heads.Classifier(num_classes=3),
        )
        text = "a very good film"
        [found] = tokens.token_attributions(
            model, [text], classes=1, method="integrated_gradients"
        )
        self.assertEqual(
            [name for name, _ in found],
            ["[CLS]", *text.split(), "[SEP]"],
        )
        parts = text_parts.Tokens(class_scores.ClassScores(model), text)
        both = np.array([[True] * 6, [False] * 6])
        whole, none = parts.logits(both)[:, 1]
        np.testing.assert_allclose(
            whole, model(tf.constant([text])).numpy()[0, 1], atol=1e-5
        )
        self.assertAlmostEqual(
            sum(value for _, value in found), whole - none, delta=0.02
        )

    def test_a_model_around_a_module_is_told_what_is_left(self):
        folder = self.create_tempdir().full_path
        model = tl_keras.build(
            encoders_for_tests.hub_texts(folder),
            tl_keras.heads.Classifier(num_classes=2),
        )
        with self.assertRaisesRegex(ValueError, "Use 'occlusion'"):
            tokens.token_attributions(
                model, ["good"], method="integrated_gradients"
            )
        [found] = tokens.token_attributions(model, ["good film"])
        self.assertLen(found, 2)

    def test_texts_without_words_and_other_models_are_refused(self):
        with self.assertRaisesRegex(ValueError, "has no words"):
            tokens.token_attributions(bag_of_words(), ["  "])
        layers = [keras.Input((4,)), keras.layers.Dense(2)]
        with self.assertRaisesRegex(ValueError, "takes float32"):
            tokens.token_attributions(keras.Sequential(layers), ["good"])


if __name__ == "__main__":
    absltest.main()
