"""Tests of a file beside the model that it was made of."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tl_keras.serving import agreement

# The model gives its inputs, as probabilities.
_EXPECTED = np.array(
    [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]], "float32"
)
_ANSWERED = np.array(
    [[0.7, 0.3], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]], "float32"
)


def _model():
    images = keras.Input((1, 1, 2))
    return keras.Model(
        images, keras.layers.Softmax()(keras.layers.Flatten()(images))
    )


def _data(labels):
    images = np.log(_EXPECTED).reshape(4, 1, 1, 2)
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(3)


class MeasureTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "a.bin"
        self.path.write_bytes(b"12345")

    def _measure(self, labels):
        batches = iter([_ANSWERED[:3], _ANSWERED[3:]])
        [one] = agreement.measure(
            _model(), {self.path: lambda inputs: next(batches)}, _data(labels)
        )
        return one

    def test_counts_by_hand(self):
        one = self._measure([0, 0, 1, 0])
        self.assertEqual(one.num_examples, 4)
        self.assertEqual(one.size_bytes, 5)
        self.assertEqual(one.same_class, 0.75)  # All but the second.
        self.assertEqual(one.keras_accuracy, 0.75)  # All but the last.
        self.assertEqual(one.accuracy, 0.5)  # Neither of the two.
        self.assertEqual(one.accuracy_drop, 0.25)
        self.assertAlmostEqual(one.largest_difference, 0.2, places=6)

    def test_a_drop_is_refused_beyond_the_limit_and_not_at_it(self):
        one = self._measure([0, 0, 1, 0])
        agreement.check_drops([one], 0.25)
        with self.assertRaisesRegex(
            ValueError, r"a.bin 0.5000 where Keras has 0.7500 \(4.*at most 0.2"
        ) as raised:
            agreement.check_drops([one], 0.2)
        self.assertEqual(raised.exception.agreements, (one,))

    def test_a_file_that_is_better_passes(self):
        one = self._measure([1, 1, 1, 1])
        self.assertEqual(one.accuracy_drop, -0.25)
        agreement.check_drops([one], 0.0)

    def test_refuses_what_is_no_dataset_of_pairs_that_fit(self):
        pairs = (np.zeros((4, 1, 1, 2), "float32"), np.zeros(4, "int32"))
        unbatched = tf.data.Dataset.from_tensor_slices(pairs)
        for data, error, message in (
            (pairs, TypeError, "(?s)`data`.*data.test"),
            (unbatched, ValueError, "another form"),
            (unbatched.batch(2).take(0), ValueError, "is empty"),
            (
                tf.data.Dataset.from_tensors((pairs[0][:, :, 0], pairs[1])),
                ValueError,
                r"\(1, 2\). Expected \(1, 1, 2\)",
            ),
        ):
            with self.assertRaisesRegex(error, message):
                agreement.measure(_model(), {}, data)


if __name__ == "__main__":
    absltest.main()
