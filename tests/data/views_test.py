"""The copies of an image that epochs see can be numbered and made apart."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.data import Augmentation
from tl_keras.data import fingerprint
from tl_keras.data.views import Views

_COUNT = 20
_RNG = np.random.default_rng(0)
IMAGES = _RNG.integers(0, 200, (_COUNT, 8, 8, 3), "uint8")
DIGESTS = fingerprint.of_rows(IMAGES)
CROP = Augmentation(crop=0.5)
FLIP = Augmentation(flip=True)


def epochs_of(augmentation, repeat_after, epochs, images=IMAGES, seed=3):
    """Images `[epochs, examples, ...]` in the order of their examples."""
    data = tl_keras.data.from_arrays(
        # Each example is a class of its own, which tells them apart.
        (images, np.arange(_COUNT)),
        validation=False,
        batch_size=7,
        seed=seed,
    )
    batches = data.train_epochs(
        first_epoch=epochs.start,
        epochs=len(epochs),
        augmentation=augmentation,
        repeat_after=repeat_after,
    )
    batches = list(batches)
    shown = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    shape = (len(epochs), _COUNT)
    order = np.argsort(labels.reshape(shape), axis=1)
    shown = shown.reshape(*shape, *shown.shape[1:])
    return np.stack([s[o] for s, o in zip(shown, order, strict=True)])


def made(views, view, images=IMAGES, indices=range(_COUNT)):
    """Copies of images, computed where epochs are: in `tf.data`."""
    change = views.changer(view, _COUNT)
    indices = np.array(indices, "int64")
    dataset = tf.data.Dataset.from_tensor_slices((images[indices], indices))
    [copies] = dataset.batch(len(indices)).map(change)
    return copies.numpy()


def make_views(augmentation, repeat_after=None, seed=3):
    return Views(augmentation, repeat_after, seed)


class CountTest(parameterized.TestCase):
    @parameterized.parameters(
        (Augmentation(), None, 1),
        (Augmentation(), 4, 1),
        (Augmentation(mixup=0.2), 4, 1),
        (Augmentation(mixup=0.2, cutmix=1.0), None, 1),
        (FLIP, None, 2),
        (FLIP, 7, 2),
        (Augmentation(flip=True, mixup=0.2), None, 2),
        (CROP, None, None),
        (CROP, 1, 1),
        (CROP, 7, 7),
        (Augmentation(crop=0.5, flip=True), None, None),
        (Augmentation(rand_augment_layers=1), None, None),
        (Augmentation(rand_augment_layers=1, mixup=0.1), 3, 3),
    )
    def test_is_how_many_copies_epochs_can_show(
        self, augmentation, repeat_after, count
    ):
        self.assertEqual(Views(augmentation, repeat_after, 3).count, count)

    def test_unbounded_ones_have_no_number(self):
        self.assertNotIn("view", Views(CROP, None, 3).tables(_COUNT, 0))

    @parameterized.parameters((CROP, 3), (FLIP, None), (Augmentation(), None))
    def test_numbers_are_below_the_count(self, augmentation, repeat_after):
        views = Views(augmentation, repeat_after, 3)
        seen = set()
        for epoch in range(6):
            numbers = views.tables(_COUNT, epoch)["view"]
            self.assertEqual(numbers.dtype, tf.int64)
            self.assertEqual(numbers.shape, (_COUNT,))
            seen.update(numbers.numpy().tolist())
        self.assertEqual(seen, set(range(views.count)))

    @parameterized.parameters(3, None)
    def test_numbers_are_the_same_for_an_epoch_in_a_tensor(self, repeat_after):
        views = Views(Augmentation(flip=True, mixup=0.3), repeat_after, 3)
        traced = tf.function(lambda epoch: views.tables(_COUNT, epoch))
        for epoch in (0, 5):
            eager = views.tables(_COUNT, epoch)
            for name, numbers in traced(tf.constant(epoch, tf.int64)).items():
                np.testing.assert_array_equal(numbers, eager[name])


class MadeApartTest(parameterized.TestCase):
    @parameterized.product(
        augmentation_and_repeat=[
            (Augmentation(), None),
            (FLIP, None),
            (FLIP, 2),
            (CROP, 3),
            (Augmentation(flip=True, crop=0.3, rand_augment_layers=2), 2),
        ],
        dtype=["uint8", "float32"],
    )
    def test_are_those_that_epochs_show(self, augmentation_and_repeat, dtype):
        augmentation, repeat_after = augmentation_and_repeat
        images = IMAGES.astype(dtype)
        views = Views(augmentation, repeat_after, 3)
        copies = [made(views, view, images) for view in range(views.count)]
        epochs = range(1, 6)
        shown = epochs_of(augmentation, repeat_after, epochs, images)
        for epoch, expected in zip(epochs, shown, strict=True):
            numbers = views.tables(_COUNT, epoch)["view"].numpy()
            got = np.stack([copies[v][i] for i, v in enumerate(numbers)])
            self.assertEqual(got.dtype, expected.dtype)
            # How powers are rounded depends on the place in the batch.
            tolerance = 2e-4 if dtype == "float32" else 0
            np.testing.assert_allclose(got, expected, atol=tolerance)

    def test_are_the_same_in_batches_of_any_order(self):
        views = Views(Augmentation(flip=True, crop=0.3), 2, 3)
        whole = made(views, 1)
        order = [4, 19, 0, 4]
        np.testing.assert_array_equal(
            made(views, 1, indices=order), whole[order]
        )

    def test_mirrored_ones_are_mirrored_by_numpy(self):
        views = Views(FLIP, None, 3)
        np.testing.assert_array_equal(made(views, 0), IMAGES)
        np.testing.assert_array_equal(made(views, 1), IMAGES[:, :, ::-1])


class RepeatTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 3)
    def test_epochs_show_the_same_after_as_many_and_not_before(self, period):
        shown = epochs_of(CROP, period, range(2 * period + 1))
        for first in range(len(shown)):
            for second in range(first):
                self.assertEqual(
                    np.array_equal(shown[first], shown[second]),
                    (first - second) % period == 0,
                )

    def test_the_first_ones_are_those_without_repetition(self):
        np.testing.assert_array_equal(
            epochs_of(CROP, 3, range(3)), epochs_of(CROP, None, range(3))
        )

    def test_mixing_is_new_in_every_epoch(self):
        views = Views(Augmentation(crop=0.5, mixup=0.5), 2, 3)
        first, third = (views.tables(_COUNT, epoch) for epoch in (0, 2))
        np.testing.assert_array_equal(first["crop"], third["crop"])
        self.assertFalse(np.array_equal(first["mixup"], third["mixup"]))


class DigestsTest(parameterized.TestCase):
    @parameterized.parameters((CROP, 3), (FLIP, None), (Augmentation(), None))
    def test_are_equal_between_equal_runs(self, augmentation, repeat_after):
        one, other = (Views(augmentation, repeat_after, 3) for _ in range(2))
        for view in range(one.count):
            np.testing.assert_array_equal(
                one.digests(DIGESTS, view), other.digests(DIGESTS, view)
            )

    @parameterized.parameters((CROP, 3), (FLIP, None))
    def test_differ_between_views_and_examples(self, augmentation, repeat):
        views = Views(augmentation, repeat, 3)
        digests = [views.digests(DIGESTS, n) for n in range(views.count)]
        digests = np.concatenate(digests)
        self.assertEqual(digests.dtype, np.uint8)
        self.assertEqual(digests.shape, (views.count * _COUNT, 16))
        self.assertLen(np.unique(digests, axis=0), len(digests))

    def test_of_images_as_they_are_are_their_own(self):
        for augmentation in (Augmentation(), FLIP, Augmentation(mixup=0.1)):
            np.testing.assert_array_equal(
                Views(augmentation, None, 3).digests(DIGESTS, 0), DIGESTS
            )

    def test_of_mirrored_images_are_the_same_under_every_seed(self):
        one, other = (Views(FLIP, None, seed) for seed in (3, 4))
        np.testing.assert_array_equal(
            one.digests(DIGESTS, 1), other.digests(DIGESTS, 1)
        )

    def test_of_random_views_are_others_under_another_seed(self):
        one, other = (Views(CROP, 2, seed) for seed in (3, 4))
        same = one.digests(DIGESTS, 1) == other.digests(DIGESTS, 1)
        self.assertFalse(same.all(axis=1).any())

    def test_of_random_views_are_others_under_another_augmentation(self):
        one, other = (
            Views(Augmentation(crop=strength), 2, 3) for strength in (0.5, 0.4)
        )
        same = one.digests(DIGESTS, 1) == other.digests(DIGESTS, 1)
        self.assertFalse(same.all(axis=1).any())

    def test_stay_when_more_views_are_wanted(self):
        few, many = Views(CROP, 2, 3), Views(CROP, 5, 3)
        for view in range(2):
            np.testing.assert_array_equal(
                few.digests(DIGESTS, view), many.digests(DIGESTS, view)
            )
            np.testing.assert_array_equal(made(few, view), made(many, view))

    def test_stay_when_mixing_is_added(self):
        plain = Views(CROP, 2, 3)
        mixing = Views(
            Augmentation(crop=0.5, mixup=0.2, mix_features=True), 2, 3
        )
        np.testing.assert_array_equal(
            plain.digests(DIGESTS, 1), mixing.digests(DIGESTS, 1)
        )

    def test_of_one_content_in_two_places_differ_with_the_copies(self):
        views = Views(CROP, 2, 3)
        same = np.repeat(DIGESTS[:1], _COUNT, axis=0)
        self.assertLen(np.unique(views.digests(same, 0), axis=0), _COUNT)


class ViewsTest(parameterized.TestCase):
    @parameterized.parameters(
        (Augmentation(), None, 1),
        (Augmentation(flip=True), None, 2),
        (Augmentation(flip=True), 5, 2),
        (Augmentation(crop=0.3), None, None),
        (Augmentation(crop=0.3, flip=True), 5, 5),
        (Augmentation(mixup=0.2, mix_features=True), None, 1),
    )
    def test_are_counted(self, augmentation, repeat_after, count):
        self.assertEqual(make_views(augmentation, repeat_after).count, count)

    @parameterized.parameters(
        (Augmentation(flip=True), None),
        (Augmentation(flip=True, crop=0.5), 3),
        (Augmentation(rand_augment_layers=1), 2),
    )
    def test_made_apart_are_those_of_the_epochs(self, augmentation, repeat):
        chosen = make_views(augmentation, repeat)
        indices = tf.range(_COUNT)
        made = [
            chosen.changer(view, _COUNT)(tf.constant(IMAGES), indices).numpy()
            for view in range(chosen.count)
        ]
        for epoch in range(4):
            view = chosen.tables(_COUNT, epoch)["view"].numpy()
            expected = epochs_of(augmentation, repeat, range(epoch, epoch + 1))[
                0
            ]
            for index in range(_COUNT):
                np.testing.assert_array_equal(
                    made[view[index]][index], expected[index]
                )

    def test_come_again_after_as_many_epochs_as_said(self):
        augmentation = Augmentation(crop=0.5)
        first, second, third = epochs_of(augmentation, 2, range(3))
        self.assertFalse(np.array_equal(first, second))
        np.testing.assert_array_equal(first, third)

    def test_have_digests_of_their_own(self):
        plain = np.random.default_rng(1).integers(0, 256, (_COUNT, 16), "uint8")
        flips = make_views(Augmentation(flip=True))
        np.testing.assert_array_equal(flips.digests(plain, 0), plain)
        crops, other_seed = (
            make_views(Augmentation(crop=0.5), 2, seed) for seed in (3, 4)
        )
        all_digests = np.concatenate(
            [
                plain,
                flips.digests(plain, 1),
                crops.digests(plain, 0),
                crops.digests(plain, 1),
                other_seed.digests(plain, 0),
            ]
        )
        self.assertLen(np.unique(all_digests, axis=0), 5 * _COUNT)
        # Mirrored is mirrored, whatever the seed.
        np.testing.assert_array_equal(
            flips.digests(plain, 1),
            make_views(Augmentation(flip=True), seed=9).digests(plain, 1),
        )


if __name__ == "__main__":
    absltest.main()
