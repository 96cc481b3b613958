"""Tests of a model's probabilities for every example of a dataset."""

import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.evaluation import predictions


def _model(activation=None, units=3):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((4, 4, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(units, activation=activation),
    ]
    return keras.Sequential(layers)


def _images(number, size=4, channels=3):
    rng = np.random.default_rng(1)
    shape = (number, size, size, channels)
    return rng.integers(0, 256, shape).astype("uint8")


def _batches(images, labels, batch_size=4):
    pairs = tf.data.Dataset.from_tensor_slices((images, labels))
    return pairs.batch(batch_size)


def _dataset(labels, **options):
    return _batches(_images(len(labels), **options), labels)


class PredictProbabilitiesTest(parameterized.TestCase):
    def test_is_the_softmax_of_the_logits_in_the_order_of_the_dataset(self):
        model, images = _model(), _images(10)
        labels = np.arange(10) % 3
        probabilities, returned = predictions.predict_probabilities(
            model, _batches(images, labels)
        )
        kernel, bias = model.get_weights()
        logits = images.reshape(10, -1) / 255.0 @ kernel + bias
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)
        np.testing.assert_array_equal(returned, labels)
        self.assertEqual(probabilities.dtype, np.float32)
        self.assertEqual(returned.dtype, np.int64)

    def test_leaves_probabilities_as_they_are(self):
        model, images = _model("softmax"), _images(6)
        probabilities, _ = predictions.predict_probabilities(
            model, _batches(images, np.zeros(6, int))
        )
        expected = model(images.astype("float32"), training=False)
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)

    def test_returns_float32_softmax_of_a_mixed_precision_model(self):
        layers = [
            keras.Input((4, 4, 3)),
            keras.layers.Flatten(dtype="mixed_bfloat16"),
            keras.layers.Dense(1000, dtype="mixed_bfloat16"),
        ]
        probabilities, _ = predictions.predict_probabilities(
            keras.Sequential(layers), _dataset([0] * 5)
        )
        self.assertEqual(probabilities.dtype, np.float32)
        # A bfloat16 softmax would miss this by far.
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)

    @parameterized.named_parameters(
        ("one_hot_floats", np.eye(3, dtype="float32")),
        ("one_hot_booleans", np.eye(3, dtype=bool)),
        ("a_column", np.arange(3).reshape(3, 1)),
        ("whole_floats", np.array([0.0, 1.0, 2.0])),
        ("bytes", np.arange(3, dtype="uint8")),
    )
    def test_reads_labels_as(self, labels):
        _, indices = predictions.predict_probabilities(
            _model(), _dataset(labels)
        )
        self.assertEqual(indices.tolist(), [0, 1, 2])

    @parameterized.named_parameters(
        ("too_large", [0, 1, 2, 0, 3], "Got: 3 at index 4.*from 0 to 2"),
        ("negative", [0, -1], "Got: -1 at index 1.*without labels"),
        ("a_fraction", [0.0, 0.5], "Got: 0.5 at index 1"),
        ("not_a_number", [0.0, float("nan")], "Got: nan at index 1"),
        ("mixed", [[0.3, 0.7, 0.0]], "not one-hot.*at index 0"),
        ("two_hot", [[1, 1, 0]], "not one-hot"),
        ("other_classes", [[1, 0, 0, 0]], r"\(1, 4\).*\[batch, 3\]"),
        ("strings", ["cat", "dog"], "no numbers"),
    )
    def test_refuses_labels(self, labels, message):
        with self.assertRaisesRegex(ValueError, message):
            predictions.predict_probabilities(
                _model(), _dataset(np.array(labels))
            )

    def test_refuses_an_empty_dataset(self):
        with self.assertRaisesRegex(ValueError, "dataset is empty"):
            predictions.predict_probabilities(_model(), _dataset([0]).take(0))

    def test_refuses_an_endless_dataset(self):
        with self.assertRaisesRegex(ValueError, "never ends"):
            predictions.predict_probabilities(_model(), _dataset([0]).repeat())

    def test_refuses_a_dataset_without_batches(self):
        with self.assertRaisesRegex(ValueError, "not batched"):
            predictions.predict_probabilities(_model(), _dataset([0]).unbatch())

    def test_refuses_elements_with_weights(self):
        weighted = _dataset([0]).map(lambda x, y: (x, y, tf.ones(1)))
        with self.assertRaisesRegex(ValueError, "pairs"):
            predictions.predict_probabilities(_model(), weighted)

    def test_refuses_a_missing_split(self):
        with self.assertRaisesRegex(TypeError, "None where the data has no"):
            predictions.predict_probabilities(_model(), None)

    @parameterized.parameters((5, 3), (4, 1))
    def test_refuses_images_of_another_shape(self, size, channels):
        message = rf"\({size}, {size}, {channels}\).*\(4, 4, 3\).*image_size=4"
        with self.assertRaisesRegex(ValueError, message):
            predictions.predict_probabilities(
                _model(), _dataset([0], size=size, channels=channels)
            )

    def test_refuses_a_batch_of_another_shape_that_no_spec_announced(self):
        dataset = tf.data.Dataset.from_generator(
            lambda: iter([(_images(2), [0, 1]), (_images(2, size=5), [0, 1])]),
            output_types=(tf.uint8, tf.int64),
        )
        with self.assertRaisesRegex(ValueError, "do not fit the model"):
            predictions.predict_probabilities(_model(), dataset)

    def test_refuses_nan_and_names_the_example(self):
        images = _images(7).astype("float32")
        images[5] = np.nan
        with self.assertRaisesRegex(ValueError, "NaN.*at index 5"):
            predictions.predict_probabilities(
                _model(), _batches(images, np.zeros(7, int))
            )

    def test_refuses_outputs_that_are_no_distribution(self):
        with self.assertRaisesRegex(ValueError, "no probabilities"):
            predictions.predict_probabilities(
                _model("sigmoid"), _dataset([0, 1])
            )

    def test_refuses_a_single_output(self):
        with self.assertRaisesRegex(ValueError, "has 1 output.*two classes"):
            predictions.predict_probabilities(
                _model("sigmoid", units=1), _dataset([0, 1])
            )

    def test_refuses_a_model_that_is_no_classifier(self):
        layers = [keras.Input((4, 4, 3)), keras.layers.Softmax()]
        with self.assertRaisesRegex(ValueError, "no classifier"):
            predictions.predict_probabilities(
                keras.Sequential(layers), _dataset([0])
            )

    def test_reads_a_model_with_mirrored_variables(self):
        program = textwrap.dedent("""
            import keras
            import numpy as np
            import tensorflow as tf

            tf.config.set_logical_device_configuration(
                tf.config.list_physical_devices("CPU")[0],
                [tf.config.LogicalDeviceConfiguration()] * 2,
            )
            strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
            from tl_keras import evaluation

            def build():
                layers = [
                    keras.Input((4, 4, 3)),
                    keras.layers.BatchNormalization(),
                    keras.layers.Flatten(),
                    keras.layers.Dense(3),
                ]
                return keras.Sequential(layers)

            with strategy.scope():
                mirrored = build()
            plain = build()
            rng = np.random.default_rng(0)
            weights = [rng.uniform(size=w.shape) for w in plain.weights]
            plain.set_weights(weights)
            mirrored.set_weights(weights)
            # 5 examples in batches of 3: replicas could not share the last.
            pairs = (rng.normal(size=(5, 4, 4, 3)), [0, 1, 2, 0, 1])
            dataset = tf.data.Dataset.from_tensor_slices(pairs).batch(3)
            expected, _ = evaluation.predict_probabilities(plain, dataset)
            outside, _ = evaluation.predict_probabilities(mirrored, dataset)
            with strategy.scope():
                inside, _ = evaluation.predict_probabilities(mirrored, dataset)
            np.testing.assert_allclose(outside, expected, atol=1e-6)
            np.testing.assert_allclose(inside, expected, atol=1e-6)
            print("equal")
        """)
        finished = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.assertIn("equal", finished.stdout, finished.stderr)


if __name__ == "__main__":
    absltest.main()
