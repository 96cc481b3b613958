"""Tests of BERT in stock layers, against a forward pass in NumPy."""

import os

import bert_for_tests
import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import input_specs
from tl_keras.encoders import Encoder
from tl_keras.encoders import bert
from tl_keras.encoders import wordpiece
from tl_keras.tuning.phases import Phase
from tl_keras.tuning.phases import Plan

SIZES = bert.Sizes(
    width=12, num_blocks=2, num_heads=3, hidden_width=20, max_tokens=16
)
VOCABULARY = [*wordpiece.SPECIAL_TOKENS, "good", "bad", "film", "##s", "!"]
TEXTS = ["good films!", "bad film", "", "good bad good bad good bad good bad"]


def some_encoder(dropout=0.0, sequence_length=10):
    tokenizer = wordpiece.WordPieceTokenizer(
        VOCABULARY, sequence_length, name="tokens"
    )
    model = bert.network(tokenizer, SIZES, dropout=dropout, name="bert")
    bert.set_weights(
        model, bert_for_tests.random_tensors(SIZES, len(VOCABULARY))
    )
    return Encoder(
        name="bert",
        model=model,
        groups=bert.groups(model),
        input_spec=input_specs.TextSpec(),
        preprocessing="custom",
        preprocessing_output="tokens",
    )


class NetworkTest(parameterized.TestCase):
    @parameterized.parameters(10, 16)
    def test_equals_a_forward_pass_in_numpy_whatever_the_padding(self, length):
        encoder = some_encoder(sequence_length=length)
        tensors = bert_for_tests.random_tensors(SIZES, len(VOCABULARY))
        tokens = encoder.model.get_layer("tokens")(tf.constant(TEXTS)).numpy()
        expected = [
            bert_for_tests.forward(tensors, SIZES, row[row != 0])
            for row in tokens
        ]
        np.testing.assert_allclose(
            encoder.model(tf.constant(TEXTS)), expected, atol=1e-5
        )

    def test_groups_are_the_embeddings_and_the_blocks(self):
        encoder = some_encoder()
        self.assertEqual(
            list(encoder.groups), ["embeddings", "block_0", "block_1"]
        )
        self.assertEqual(
            encoder.groups["block_1"],
            (
                "block_1_attention",
                "block_1_attention_norm",
                "block_1_hidden",
                "block_1_output",
                "block_1_output_norm",
            ),
        )

    def test_dropout_draws_in_training_only(self):
        model = some_encoder(dropout=0.5).model
        texts = tf.constant(TEXTS)
        rests = model(texts, training=False).numpy()
        np.testing.assert_array_equal(model(texts, training=False), rests)
        drawn = model(texts, training=True).numpy()
        self.assertGreater(abs(drawn - rests).max(), 0.1)

    def test_a_file_without_a_tensor_is_an_error(self):
        tensors = bert_for_tests.random_tensors(SIZES, len(VOCABULARY))
        del tensors["encoder.layer.1.output.dense.bias"]
        with self.assertRaisesRegex(KeyError, "layer.1.output.dense.bias"):
            bert.set_weights(some_encoder().model, tensors)


class TrainingTest(parameterized.TestCase):
    def test_frozen_groups_stay_in_two_phases(self):
        encoder = some_encoder(dropout=0.1)
        head = tl_keras.heads.Classifier(num_classes=2)
        model = tl_keras.build(encoder, head)
        before = {layer.name: layer.get_weights() for layer in model.layers}
        labels = [1, 0, 0, 1]
        data = tf.data.Dataset.from_tensor_slices((TEXTS, labels)).batch(2)
        plan = Plan(
            "probe_then_block",
            [
                Phase(name="probe", train="head", learning_rate=0.01),
                Phase(name="block", train="last 1", learning_rate=0.01),
            ],
        )
        result = tl_keras.fit(model, data, plan, verbose=0)
        self.assertEqual(result.phases[1].groups, ("block_1", "head"))
        changed = {
            layer.name
            for layer in model.layers
            if any(
                not np.array_equal(old, new)
                for old, new in zip(
                    before[layer.name], layer.get_weights(), strict=True
                )
            )
        }
        trained = {*encoder.groups["block_1"], "head_logits"}
        self.assertEqual(changed, trained)

    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_mixed_precision_answers_nearly_alike(self, policy):
        encoder = some_encoder()
        head = tl_keras.heads.Classifier(num_classes=2)
        texts = tf.constant(TEXTS)
        expected = tl_keras.build(encoder, head)(texts).numpy()
        mixed = tl_keras.build(encoder, head, dtype_policy=policy)
        attention = mixed.get_layer("block_0_attention")
        self.assertEqual(attention.compute_dtype, policy.removeprefix("mixed_"))
        # Eight bits of a bfloat16, and values up to 3.
        np.testing.assert_allclose(mixed(texts), expected, atol=0.1)
        self.assertEqual(mixed(texts).dtype, "float32")

    def test_a_saved_model_answers_as_before(self):
        head = tl_keras.heads.Classifier(num_classes=2)
        model = tl_keras.build(some_encoder(), head)
        path = os.path.join(self.create_tempdir(), "model.keras")
        tl_keras.save(model, path)
        texts = tf.constant(TEXTS)
        for reloaded in (
            tl_keras.load_model(path),
            keras.models.load_model(path),
        ):
            np.testing.assert_array_equal(reloaded(texts), model(texts))


if __name__ == "__main__":
    absltest.main()
