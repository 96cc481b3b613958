import keras
import numpy as np
from absl.testing import absltest

from tl_keras.training import losses


class CrossentropyTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.logits = rng.normal(size=(6, 4)).astype("float32")
        self.labels = rng.integers(4, size=6)
        shifted = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        self.softmax = shifted / shifted.sum(axis=1, keepdims=True)

    def test_matches_numpy_for_class_numbers(self):
        expected = -np.log(self.softmax[np.arange(6), self.labels]).mean()
        for labels in (self.labels, self.labels[:, None]):
            self.assertAlmostEqual(
                float(losses.Crossentropy()(labels, self.logits)),
                expected,
                places=5,
            )

    def test_matches_numpy_for_probabilities(self):
        soft = np.eye(4)[self.labels] * 0.9 + 0.1 / 4
        expected = -(soft * np.log(self.softmax)).sum(axis=1).mean()
        self.assertAlmostEqual(
            float(losses.Crossentropy()(soft, self.logits)), expected, places=5
        )

    def test_takes_softmax_outputs(self):
        loss = losses.Crossentropy(from_logits=False)
        self.assertAlmostEqual(
            float(loss(self.labels, self.softmax)),
            float(losses.Crossentropy()(self.labels, self.logits)),
            places=5,
        )

    def test_comes_back_from_its_config(self):
        loss = losses.Crossentropy(from_logits=False)
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        self.assertFalse(again.from_logits)


class AccuracyTest(absltest.TestCase):
    def test_counts_hits_for_both_kinds_of_labels(self):
        logits = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
        numbers = np.array([1, 1, 1])
        soft = np.array([[0.4, 0.6], [0.1, 0.9], [0.0, 1.0]])
        for labels in (numbers, soft):
            np.testing.assert_array_equal(
                losses.accuracy(labels, logits), [1.0, 0.0, 1.0]
            )


class SharedTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.model = keras.Sequential([keras.Input((3,)), keras.layers.ReLU()])

    def test_a_mean_over_examples_can_be_shared(self):
        for loss in (
            losses.Crossentropy(),
            "sparse_categorical_crossentropy",
            keras.losses.sparse_categorical_crossentropy,
        ):
            losses.check_shared(loss, np.array([0, 2, 1]), self.model)

    def test_other_reductions_cannot(self):
        loss = keras.losses.CategoricalCrossentropy(reduction="sum")
        with self.assertRaisesRegex(ValueError, "reduction='sum'.*'mean'"):
            losses.check_shared(loss, np.eye(3), self.model)

    def test_one_number_for_a_batch_cannot(self):
        def error(labels, outputs):
            return keras.ops.mean(keras.ops.square(labels - outputs))

        with self.assertRaisesRegex(ValueError, "a number for each example"):
            losses.check_shared(error, np.eye(3, dtype="float32"), self.model)


if __name__ == "__main__":
    absltest.main()
