"""What `Data` tells and hands out."""

import files_for_tests
import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import arrays
from tl_keras.data import augmentation


def made_up_data(test_examples=10, batch_size=4, channels=3, **options):
    def part(examples, seed):
        shape = (examples, 6, 6, channels)
        images = files_for_tests.random_images(*shape, seed=seed)
        return images, np.arange(examples) % 2

    return arrays.from_arrays(
        part(30, 0),
        test=part(test_examples, 1),
        batch_size=batch_size,
        **options,
    )


class DataTest(parameterized.TestCase):
    def test_labels_and_ids_are_in_stored_order(self):
        data = made_up_data()
        np.testing.assert_array_equal(data.labels("test"), np.arange(10) % 2)
        self.assertEqual(data.labels("test").dtype, np.int64)
        self.assertEqual(data.ids("test"), [f"test[{i}]" for i in range(10)])

    def test_test_is_in_stored_order_and_complete(self):
        batches = files_for_tests.batches(made_up_data().test)
        labels = np.concatenate([labels for _, labels in batches])
        np.testing.assert_array_equal(labels, np.arange(10) % 2)
        self.assertEqual([len(labels) for _, labels in batches], [4, 4, 2])

    def test_a_split_that_does_not_exist_is_none(self):
        images = np.zeros([4, 6, 6, 3], np.uint8)
        data = arrays.from_arrays((images, [0, 1, 0, 1]), validation=False)
        self.assertIsNone(data.validation)
        self.assertIsNone(data.test)
        with self.assertRaisesRegex(ValueError, "Got: 'test'.*'train'"):
            data.labels("test")

    def test_changing_what_labels_returns_changes_nothing(self):
        data = made_up_data()
        data.labels("test")[:] = 0
        self.assertEqual(data.labels("test").sum(), 5)

    def test_the_fingerprint_follows_content_and_splits_not_sizes(self):
        first = made_up_data().fingerprint
        self.assertEqual(first, made_up_data(batch_size=7).fingerprint)
        self.assertEqual(first, made_up_data(image_size=9).fingerprint)
        self.assertNotEqual(first, made_up_data(test_examples=9).fingerprint)
        self.assertNotEqual(first, made_up_data(class_names="xy").fingerprint)
        self.assertNotEqual(first, made_up_data(seed=1).fingerprint)

    def test_plain_keras_can_fit_on_it(self):
        data = made_up_data()
        model = keras.Sequential(
            [
                keras.layers.Input([6, 6, 3]),
                keras.layers.Flatten(),
                keras.layers.Dense(2, activation="softmax"),
            ]
        )
        model.compile(loss="sparse_categorical_crossentropy")
        history = model.fit(
            data.train, validation_data=data.validation, epochs=2, verbose=0
        )
        self.assertLen(history.history["val_loss"], 2)

    @parameterized.parameters(
        ({"first_epoch": -1}, ValueError),
        ({"first_step": -1}, ValueError),
        ({"first_step": 10**6}, ValueError),
        ({"epochs": 0}, ValueError),
        ({"epochs": 1.5}, TypeError),
        ({"label_smoothing": 1.0}, ValueError),
        ({"augmentation": {"flip": True}}, TypeError),
        ({"class_weight": {7: 1.0}}, ValueError),
    )
    def test_refuses_wrong_arguments(self, options, error):
        (name,) = options
        with self.assertRaisesRegex(error, name):
            made_up_data().train_epochs(**options)

    def test_refuses_rand_augment_of_transparency(self):
        chosen = augmentation.Augmentation(rand_augment_layers=1)
        with self.assertRaisesRegex(ValueError, "channels=4.*Expected 1 or 3"):
            made_up_data(channels=4).train_epochs(augmentation=chosen)


class EvaluationBatchesTest(absltest.TestCase):
    def test_gives_every_example_once_in_order(self):
        data = made_up_data(11)
        plain = np.concatenate([images for images, _ in data.test])
        batches = data.evaluation_batches("test")
        np.testing.assert_array_equal(
            plain, np.concatenate([images for images, _ in batches])
        )


if __name__ == "__main__":
    absltest.main()
