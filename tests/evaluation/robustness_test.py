"""Tests of accuracy under corruptions, against a loop."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tl_keras.evaluation import corruptions
from tl_keras.evaluation import robustness

NAMES = ("gaussian_noise", "contrast")


def model():
    """Whether the left half is brighter than the right one."""
    pixels = keras.Input((16, 16, 3))
    halves = keras.layers.AveragePooling2D((16, 8))(pixels)
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(halves))
    made = keras.Model(pixels, outputs)
    kernel = np.array([[1.0, 0]] * 3 + [[0.0, 1]] * 3)
    made.set_weights([kernel, np.zeros(2)])
    return made


def examples(count=30):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
    return images, rng.integers(0, 2, count)


def dataset(batch_size=7):
    return tf.data.Dataset.from_tensor_slices(examples()).batch(batch_size)


class RobustnessTest(absltest.TestCase):
    def test_each_number_is_that_of_a_loop(self):
        network, (images, labels) = model(), examples()
        found = robustness.evaluate(network, dataset(), names=NAMES, seed=3)
        right = np.zeros((2, 5, 30))
        for row, name in enumerate(NAMES):
            for severity in range(1, 6):
                changed = [
                    corruptions.corrupt(one, name, severity, seed=3, index=i)
                    for i, one in enumerate(images)
                ]
                predicted = network(np.stack(changed)).numpy().argmax(axis=1)
                right[row, severity - 1] = predicted == labels
        clean = network(images).numpy().argmax(axis=1) == labels
        self.assertEqual(found.clean_accuracy, clean.mean())
        self.assertAlmostEqual(found.mean_accuracy, right.mean())
        np.testing.assert_allclose(found.by_severity, right.mean(axis=(0, 2)))
        for row, name in enumerate(NAMES):
            np.testing.assert_allclose(
                found.accuracy[name], right[row].mean(axis=1)
            )
            self.assertAlmostEqual(found.by_corruption[name], right[row].mean())

    def test_neither_batches_nor_other_corruptions_change_a_number(self):
        network = model()
        one = robustness.evaluate(network, dataset(7), names=NAMES)
        other = robustness.evaluate(
            network, dataset(30), names=NAMES[:1], batch_size=4
        )
        self.assertEqual(
            one.accuracy["gaussian_noise"], other.accuracy["gaussian_noise"]
        )

    def test_a_part_of_the_examples_is_drawn_by_the_seed(self):
        network, drawn = model(), []
        for seed in (0, 0, 1):
            found = robustness.evaluate(
                network,
                dataset(),
                names=["pixelate"],
                max_examples=8,
                seed=seed,
            )
            self.assertEqual(found.num_examples, 8)
            drawn.append(found.accuracy)
        self.assertEqual(drawn[0], drawn[1])
        images, labels, indices = robustness._chosen(dataset(), 8, 0)
        np.testing.assert_array_equal(images, examples()[0][indices])
        np.testing.assert_array_equal(labels, examples()[1][indices])

    def test_the_interval_is_that_of_a_mean_over_images(self):
        found = robustness.evaluate(model(), dataset(), names=NAMES)
        low, high = found.mean_accuracy_interval
        self.assertLess(low, found.mean_accuracy)
        self.assertAlmostEqual((low + high) / 2, found.mean_accuracy)
        # 30 images, each a share between 0 and 1: at most 0.5 / sqrt(29).
        self.assertLess(high - low, 2 * 1.96 * 0.5 / np.sqrt(29))

    def test_texts_are_refused(self):
        texts = tf.data.Dataset.from_tensor_slices((["a"], [0])).batch(1)
        with self.assertRaisesRegex(ValueError, "Corruptions are of images"):
            robustness.evaluate(model(), texts)


if __name__ == "__main__":
    absltest.main()
