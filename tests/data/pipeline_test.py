"""Order and augmentation depend on seed, epoch and index, on nothing else."""

import files_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import arrays
from tl_keras.data import augmentation

EVERYTHING = augmentation.Augmentation(
    flip=True, crop=0.5, rand_augment_layers=1, mixup=0.4, cutmix=1.0
)
BY_EXAMPLE = augmentation.Augmentation(
    flip=True, crop=0.5, rand_augment_layers=1
)


def made_up_data(batch_size=8, seed=0, examples=30, dtype=np.uint8):
    """Images whose first pixel tells their index; image i has label i % 3."""
    images = files_for_tests.random_images(examples, 10, 10, 3)
    images[:, 0, 0, 0] = np.arange(examples)
    return arrays.from_arrays(
        (images.astype(dtype), np.arange(examples) % 3),
        validation=False,
        image_size=10,
        batch_size=batch_size,
        seed=seed,
    )


def epochs(data, **options):
    return files_for_tests.batches(data.train_epochs(**options))


def order(batches):
    """The index of each example, in the order of the batches."""
    return [int(i) for images, *_ in batches for i in images[:, 0, 0, 0]]


class OrderTest(parameterized.TestCase):
    def test_an_epoch_has_every_example_once(self):
        for epoch in range(3):
            batches = epochs(made_up_data(), first_epoch=epoch)
            self.assertEqual(sorted(order(batches)), list(range(30)))

    def test_labels_stay_with_their_images(self):
        for images, labels in epochs(made_up_data()):
            np.testing.assert_array_equal(images[:, 0, 0, 0] % 3, labels)

    def test_epochs_differ(self):
        data = made_up_data()
        orders = [order(epochs(data, first_epoch=e)) for e in range(3)]
        self.assertLen({tuple(each) for each in orders}, 3)

    def test_seeds_differ(self):
        first, second = made_up_data(seed=0), made_up_data(seed=1)
        self.assertNotEqual(order(epochs(first)), order(epochs(second)))

    def test_no_batch_crosses_the_end_of_an_epoch(self):
        batches = epochs(made_up_data(), epochs=2)
        # 30 = 3 * 8 + 6, twice.
        sizes = [len(labels) for _, labels in batches]
        self.assertEqual(sizes, [8, 8, 8, 6, 8, 8, 8, 6])

    def test_drops_an_incomplete_batch_if_asked(self):
        data = made_up_data()
        batches = epochs(data, epochs=2, drop_remainder=True)
        self.assertEqual([len(labels) for _, labels in batches], [8] * 6)
        self.assertEqual(data.steps_per_epoch(drop_remainder=True), 3)

    def test_knows_its_length(self):
        data = made_up_data()
        self.assertLen(data.train_epochs(epochs=5), 5 * data.steps_per_epoch())

    def test_train_is_another_order_at_each_iteration(self):
        data = made_up_data()
        first = order(files_for_tests.batches(data.train))
        second = order(files_for_tests.batches(data.train))
        self.assertEqual(sorted(first), sorted(second))
        self.assertNotEqual(first, second)
        again = order(files_for_tests.batches(made_up_data().train))
        self.assertEqual(first, again)


class EqualBatchesTest(parameterized.TestCase):
    @parameterized.parameters(1, 5)
    def test_on_any_number_of_threads(self, threads):
        data = made_up_data()
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        options.threading.max_intra_op_parallelism = threads
        batches = data.train_epochs(epochs=3, augmentation=EVERYTHING)
        files_for_tests.assert_equal_batches(
            files_for_tests.batches(batches.with_options(options)),
            epochs(made_up_data(), epochs=3, augmentation=EVERYTHING),
        )

    def test_wherever_the_epochs_begin(self):
        data = made_up_data()
        through = epochs(data, epochs=4, augmentation=EVERYTHING)
        late = epochs(data, first_epoch=2, epochs=2, augmentation=EVERYTHING)
        files_for_tests.assert_equal_batches(through[8:], late)

    @parameterized.parameters(0, 1, 3)
    def test_wherever_in_an_epoch_they_begin(self, first_step):
        data = made_up_data()
        through = epochs(data, epochs=4, augmentation=EVERYTHING)
        options = {"first_epoch": 2, "epochs": 2, "first_step": first_step}
        late = epochs(data, **options, augmentation=EVERYTHING)
        # Four batches an epoch.
        files_for_tests.assert_equal_batches(through[8 + first_step :], late)
        self.assertLen(data.train_epochs(**options), 8 - first_step)

    def test_whatever_the_batch_size_for_what_is_done_by_example(self):
        results = []
        for batch_size in (7, 30):
            data = made_up_data(batch_size=batch_size)
            batches = epochs(data, epochs=2, augmentation=BY_EXAMPLE)
            results.append(np.concatenate([images for images, _ in batches]))
        np.testing.assert_array_equal(results[0], results[1])

    def test_whatever_tensorflows_global_seed(self):
        first = epochs(made_up_data(), augmentation=EVERYTHING)
        self.addCleanup(tf.random.set_seed, None)
        tf.random.set_seed(17)
        second = epochs(made_up_data(), augmentation=EVERYTHING)
        files_for_tests.assert_equal_batches(first, second)


class AugmentationTest(parameterized.TestCase):
    @parameterized.parameters(
        {"flip": True},
        {"crop": 0.5},
        {"rand_augment_layers": 1},
        {"mixup": 1.0},
        {"cutmix": 1.0},
    )
    def test_changes_images_and_differs_between_epochs(self, **options):
        chosen = augmentation.Augmentation(**options)
        data = made_up_data(batch_size=30)
        plain = epochs(data, epochs=2)
        changed = epochs(data, epochs=2, augmentation=chosen)
        by_index = []
        for (images, _), (augmented, *_) in zip(plain, changed, strict=True):
            self.assertEqual(augmented.dtype, np.uint8)
            self.assertFalse(np.array_equal(images, augmented))
            by_index.append(augmented[np.argsort(images[:, 0, 0, 0])])
        self.assertFalse(np.array_equal(*by_index))

    def test_flips_about_half_of_the_images(self):
        data = made_up_data(batch_size=200, examples=200)
        ((plain, _),) = epochs(data)
        ((flipped, _),) = epochs(
            data, augmentation=augmentation.Augmentation(flip=True)
        )
        mirrored = (flipped == plain[:, :, ::-1]).all(axis=(1, 2, 3))
        same = (flipped == plain).all(axis=(1, 2, 3))
        self.assertTrue((mirrored ^ same).all())
        # Binomial(200, 1/2) has a standard deviation of 7.
        self.assertBetween(mirrored.sum(), 70, 130)

    @parameterized.parameters({"mixup": 0.2}, {"cutmix": 1.0})
    def test_mixed_labels_are_probabilities(self, **options):
        chosen = augmentation.Augmentation(**options)
        batches = epochs(
            made_up_data(), augmentation=chosen, label_smoothing=0.1
        )
        for _, labels in batches:
            self.assertEqual(labels.dtype, np.float32)
            np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
            self.assertGreaterEqual(labels.min(), 0.1 / 3 - 1e-6)

    def test_floats_stay_floats(self):
        data = made_up_data(dtype=np.float32)
        for images, *_ in epochs(data, augmentation=EVERYTHING):
            self.assertEqual(images.dtype, np.float32)
            self.assertBetween(images.min(), 0, 255)
            self.assertBetween(images.max(), 0, 255)

    def test_shapes_are_static_but_for_the_batch(self):
        batches = made_up_data().train_epochs(augmentation=EVERYTHING)
        images, labels = batches.element_spec
        self.assertEqual(images.shape.as_list(), [None, 10, 10, 3])
        self.assertEqual(labels.shape.as_list(), [None, 3])

    def test_works_at_an_alpha_that_underflows(self):
        chosen = augmentation.Augmentation(mixup=1e-4)
        for images, labels in epochs(made_up_data(), augmentation=chosen):
            self.assertEqual(images.dtype, np.uint8)
            self.assertTrue(np.isfinite(labels).all())


class TargetsTest(absltest.TestCase):
    def test_weights_follow_the_labels(self):
        weights = {0: 1.0, 1: 2.0, 2: 5.0}
        batches = epochs(made_up_data(), class_weight=weights)
        for _, labels, sample_weights in batches:
            self.assertEqual(sample_weights.dtype, np.float32)
            np.testing.assert_array_equal(
                sample_weights, np.array([1, 2, 5])[labels]
            )

    def test_smoothed_labels_are_rows(self):
        plain = epochs(made_up_data())
        smoothed = epochs(made_up_data(), label_smoothing=0.3)
        for (_, labels), (_, rows) in zip(plain, smoothed, strict=True):
            np.testing.assert_allclose(rows, np.eye(3)[labels] * 0.7 + 0.1)


if __name__ == "__main__":
    absltest.main()
