"""Class weights and smoothed labels, against scikit-learn and arithmetic."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from sklearn.utils import class_weight

from tl_keras.data import targets


class ClassWeightTest(parameterized.TestCase):
    def test_balanced_is_what_scikit_learn_gives(self):
        labels = np.repeat([0, 1, 2], [50, 7, 3])
        expected = class_weight.compute_class_weight(
            "balanced", classes=np.arange(3), y=labels
        )
        weights = targets.balanced_weights(labels, 3)
        np.testing.assert_allclose(list(weights.values()), expected)
        self.assertEqual(list(weights), [0, 1, 2])

    @parameterized.parameters(
        ({5: 1.0}, ValueError, "Got: 5"),
        ({0: -1.0}, ValueError, r"class_weight\[0\]"),
        ("balanced", TypeError, "class_weight"),
    )
    def test_refuses_what_is_no_weight(self, weights, error, words):
        with self.assertRaisesRegex(error, words):
            targets.class_weight_vector(weights, 3)


class TargetsTest(absltest.TestCase):
    def test_smooths_labels_evenly(self):
        chosen = targets.Targets(4, as_rows=True, label_smoothing=0.2)
        _, labels = chosen.element(None, chosen.encode(tf.constant([2])))
        np.testing.assert_allclose(labels, [[0.05, 0.05, 0.85, 0.05]])

    def test_weighs_mixed_examples_by_share(self):
        weights = np.array([1.0, 3.0], np.float32)
        chosen = targets.Targets(
            2, as_rows=True, label_smoothing=0.5, weights=weights
        )
        mixed = tf.constant([[0.25, 0.75]])
        _, _, sample_weights = chosen.element(None, mixed)
        # 0.25 * 1 + 0.75 * 3, whatever the smoothing.
        np.testing.assert_allclose(sample_weights, [2.5])


if __name__ == "__main__":
    absltest.main()
