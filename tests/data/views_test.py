"""The copies of an image that epochs see can be numbered and made apart."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.data import Augmentation
from tl_keras.data.views import Views

_COUNT = 20
IMAGES = np.random.default_rng(0).integers(0, 200, (_COUNT, 8, 8, 3), "uint8")


def views(augmentation, repeat_after=None, seed=3):
    return Views(augmentation, repeat_after, seed)


def epoch_of(augmentation, repeat_after, epoch):
    """Images of an epoch in the order of their examples."""
    data = tl_keras.data.from_arrays(
        # Each example is a class of its own, which tells them apart.
        (IMAGES, np.arange(_COUNT)),
        validation=False,
        batch_size=7,
        seed=3,
    )
    batches = list(
        data.train_epochs(
            first_epoch=epoch,
            augmentation=augmentation,
            repeat_after=repeat_after,
        )
    )
    labels = np.concatenate([labels for _, labels in batches])
    images = np.concatenate([images for images, _ in batches])
    return images[np.argsort(labels)]


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
        self.assertEqual(views(augmentation, repeat_after).count, count)

    @parameterized.parameters(
        (Augmentation(flip=True), None),
        (Augmentation(flip=True, crop=0.5), 3),
        (Augmentation(rand_augment_layers=1), 2),
    )
    def test_made_apart_are_those_of_the_epochs(self, augmentation, repeat):
        chosen = views(augmentation, repeat)
        indices = tf.range(_COUNT)
        made = [
            chosen.changer(view, _COUNT)(tf.constant(IMAGES), indices).numpy()
            for view in range(chosen.count)
        ]
        for epoch in range(4):
            view = chosen.tables(_COUNT, epoch)["view"].numpy()
            expected = epoch_of(augmentation, repeat, epoch)
            for index in range(_COUNT):
                np.testing.assert_array_equal(
                    made[view[index]][index], expected[index]
                )

    def test_come_again_after_as_many_epochs_as_said(self):
        augmentation = Augmentation(crop=0.5)
        first, second, third = (epoch_of(augmentation, 2, e) for e in range(3))
        self.assertFalse(np.array_equal(first, second))
        np.testing.assert_array_equal(first, third)

    def test_have_digests_of_their_own(self):
        plain = np.random.default_rng(1).integers(0, 256, (_COUNT, 16), "uint8")
        flips = views(Augmentation(flip=True))
        np.testing.assert_array_equal(flips.digests(plain, 0), plain)
        crops, other_seed = (
            views(Augmentation(crop=0.5), 2, seed) for seed in (3, 4)
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
            views(Augmentation(flip=True), seed=9).digests(plain, 1),
        )


if __name__ == "__main__":
    absltest.main()
