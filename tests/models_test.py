import os
import pathlib
import tempfile
import zipfile

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import cards
from tl_keras import models


def tiny_model(num_classes=3, **options):
    encoder = tl_keras.encoders.load("tiny", image_size=16)
    head = tl_keras.heads.Classifier(num_classes=num_classes)
    return tl_keras.build(encoder, head, **options)


def some_images(count=4):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 16, 16, 3), "uint8")


class BuildTest(absltest.TestCase):
    def test_is_the_encoder_followed_by_the_head(self):
        encoder = tl_keras.encoders.load("tiny", image_size=16)
        model = tl_keras.build(
            encoder, tl_keras.heads.Classifier(num_classes=3)
        )
        features = np.asarray(encoder.model(some_images()))
        kernel, bias = model.get_layer("head_logits").get_weights()
        np.testing.assert_allclose(
            model(some_images()),
            features.mean(axis=(1, 2)) @ kernel + bias,
            rtol=1e-4,
            atol=1e-4,
        )

    def test_is_one_flat_functional_model(self):
        model = tiny_model()
        self.assertFalse(
            [layer for layer in model.layers if isinstance(layer, keras.Model)]
        )

    def test_takes_uint8_and_float_pixels_alike(self):
        model = tiny_model()
        np.testing.assert_array_equal(
            model(some_images()), model(some_images().astype("float32"))
        )

    def test_has_a_copy_of_the_weights(self):
        encoder = tl_keras.encoders.load("tiny", image_size=16)
        head = tl_keras.heads.Classifier(num_classes=3)
        first = tl_keras.build(encoder, head)
        second = tl_keras.build(encoder, head)
        first.set_weights([w + 1.0 for w in first.get_weights()])
        np.testing.assert_array_equal(
            second.get_weights()[0], encoder.model.get_weights()[0]
        )

    def test_the_head_is_the_last_group(self):
        groups = cards.of(tiny_model()).groups
        self.assertEqual(list(groups)[-1], "head")
        self.assertEqual(groups["head"], ("head_logits",))

    def test_equal_seeds_give_equal_heads(self):
        kernels = [
            tiny_model(seed=seed).get_layer("head_logits").get_weights()[0]
            for seed in (1, 1, 2)
        ]
        np.testing.assert_array_equal(kernels[0], kernels[1])
        self.assertFalse(np.array_equal(kernels[0], kernels[2]))

    def test_mixed_precision_keeps_preprocessing_and_logits_in_float32(self):
        model = tiny_model(dtype_policy="mixed_bfloat16")
        by_dtype = {layer.name: layer.compute_dtype for layer in model.layers}
        preprocessing = cards.of(model).preprocessing_output
        self.assertEqual(by_dtype[preprocessing], "float32")
        self.assertEqual(by_dtype["head_logits"], "float32")
        self.assertEqual(by_dtype["stem_conv"], "bfloat16")
        np.testing.assert_allclose(
            model(some_images()), tiny_model()(some_images()), atol=0.2
        )

    def test_something_else_than_an_encoder_is_refused(self):
        with self.assertRaisesRegex(TypeError, "Got: str and Classifier"):
            tl_keras.build("tiny", tl_keras.heads.Classifier(num_classes=2))


class SaveTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp()
        self.path = os.path.join(self.folder, "new", "model.keras")

    def test_reads_back_what_was_saved(self):
        model = tiny_model()
        tl_keras.save(model, self.path)
        again = tl_keras.load_model(self.path)
        np.testing.assert_array_equal(
            again(some_images()), model(some_images())
        )
        self.assertEqual(cards.of(again), cards.of(model))

    def test_plain_keras_reads_it_too(self):
        model = tiny_model()
        tl_keras.save(model, self.path)
        plain = keras.models.load_model(self.path)
        np.testing.assert_array_equal(
            plain(some_images()), model(some_images())
        )

    def test_a_file_of_plain_keras_is_read_without_a_card(self):
        os.makedirs(os.path.dirname(self.path))
        tiny_model().save(self.path)
        self.assertIsNone(cards.of(tl_keras.load_model(self.path)))

    def test_leaves_nothing_beside_and_replaces_the_old_file(self):
        for _ in range(2):
            tl_keras.save(tiny_model(), self.path)
        self.assertEqual(
            os.listdir(os.path.dirname(self.path)), ["model.keras"]
        )

    def test_names_a_wrong_ending_a_missing_and_a_damaged_file(self):
        with self.assertRaisesRegex(ValueError, "'.keras'.*model.h5"):
            tl_keras.save(tiny_model(), "model.h5")
        with self.assertRaisesRegex(FileNotFoundError, "no model file"):
            tl_keras.load_model(self.path)
        whole = pathlib.Path(tl_keras.save(tiny_model(), self.path))
        whole.write_bytes(whole.read_bytes()[:1000])
        with self.assertRaisesRegex(ValueError, "damaged"):
            tl_keras.load_model(whole)

    def test_the_card_is_an_entry_of_the_archive(self):
        tl_keras.save(tiny_model(), self.path)
        with zipfile.ZipFile(self.path) as archive:
            self.assertIn("tl_keras.json", archive.namelist())


class OutputsAreLogitsTest(absltest.TestCase):
    def model(self, last):
        return keras.Sequential([keras.Input((3,)), last])

    def test_is_seen_from_the_last_layer(self):
        logits = {
            keras.layers.Dense(2): True,
            keras.layers.Dense(2, activation="softmax"): False,
            keras.layers.Activation("softmax"): False,
            keras.layers.Softmax(): False,
        }
        probabilities = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Dense(2, activation="softmax"),
                keras.layers.Activation("linear", dtype="float32"),
            ]
        )
        self.assertFalse(models.outputs_are_logits(probabilities))
        for last, expected in logits.items():
            self.assertEqual(
                models.outputs_are_logits(self.model(last)), expected
            )

    def test_is_seen_from_an_operation_that_is_no_layer(self):
        inputs = keras.Input((3,))
        logits = keras.layers.Dense(2)(inputs)
        for probabilities in (
            keras.ops.softmax(logits),
            keras.activations.softmax(logits),
            keras.layers.Activation("linear")(keras.ops.softmax(logits)),
        ):
            model = keras.Model(inputs, probabilities)
            self.assertFalse(models.outputs_are_logits(model))
            nested = keras.Sequential([keras.Input((3,)), model])
            self.assertFalse(models.outputs_are_logits(nested))
        scaled = keras.Model(inputs, keras.ops.multiply(logits, 2.0))
        with self.assertRaisesRegex(ValueError, "multiply"):
            models.outputs_are_logits(scaled)

    def test_is_seen_in_a_subclass_and_in_a_nested_model(self):
        inner = self.model(keras.layers.Dense(2))
        self.assertTrue(models.outputs_are_logits(self.model(inner)))

        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.end = keras.layers.Dense(2, activation="softmax")

            def call(self, inputs):
                return self.end(inputs)

        self.assertFalse(models.outputs_are_logits(Own()))

    def test_is_an_error_where_it_cannot_be_seen(self):
        with self.assertRaisesRegex(ValueError, "ReLU"):
            models.outputs_are_logits(self.model(keras.layers.ReLU()))


if __name__ == "__main__":
    absltest.main()
