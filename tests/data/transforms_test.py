"""Flips, crops and mixtures, against NumPy."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import augmentation
from tl_keras.data import transforms


def random_images(*shape):
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


class FlipTest(absltest.TestCase):
    def test_mirrors_where_the_number_is_below_one_half(self):
        images = random_images(2, 4, 5, 3)
        flipped = transforms.flip(tf.constant(images), tf.constant([0.4, 0.5]))
        np.testing.assert_array_equal(flipped[0], images[0, :, ::-1])
        np.testing.assert_array_equal(flipped[1], images[1])


class CropTest(absltest.TestCase):
    def crop(self, images, numbers, strength):
        numbers = tf.constant(numbers, tf.float32)
        return transforms.crop(tf.constant(images), numbers, strength).numpy()

    def test_of_no_strength_leaves_images_whole(self):
        images = random_images(2, 6, 6, 3)
        cropped = self.crop(images, [[0.3, 0.9, 0.2, 0.7]] * 2, 0.0)
        np.testing.assert_allclose(cropped, images, rtol=1e-4, atol=1e-2)

    def test_keeps_the_share_of_the_area_that_the_numbers_say(self):
        # A plane with slope 1 along both axes: the crop's slopes are its
        # relative height and width, and their product is its area.
        rows, columns = np.mgrid[0.0:64, 0:64]
        plane = np.stack([rows, columns], -1)[None].astype(np.float32)
        rng = np.random.default_rng(1)
        for numbers in rng.uniform(size=(50, 4)):
            cropped = self.crop(plane, [numbers], 0.6)[0]
            height = (cropped[-1, 0, 0] - cropped[0, 0, 0]) / 63
            width = (cropped[0, -1, 1] - cropped[0, 0, 1]) / 63
            self.assertAlmostEqual(
                height * width, 1 - 0.6 * numbers[0], places=4
            )
            self.assertBetween(width / height, 0.7499, 1.3334)
            self.assertLessEqual(cropped.max(), 63.001)
            self.assertGreaterEqual(cropped.min(), -0.001)


class MixUpTest(absltest.TestCase):
    def test_blends_with_the_next_example(self):
        images, labels = random_images(3, 2, 2, 1), np.eye(3, dtype=np.float32)
        own = np.array([0.25, 1.0, 0.5], np.float32)
        mixed, mixed_labels = transforms.mixup(images, labels, own)
        expected = 0.25 * images[0] + 0.75 * images[1]
        np.testing.assert_allclose(mixed[0], expected, rtol=1e-5)
        np.testing.assert_allclose(mixed[1], images[1])
        np.testing.assert_allclose(
            mixed_labels, [[0.25, 0.75, 0], [0, 1, 0], [0.5, 0, 0.5]]
        )


class CutMixTest(parameterized.TestCase):
    @parameterized.parameters(0.0, 0.3, 0.75, 1.0)
    def test_labels_tell_the_area_that_was_pasted(self, own):
        images = np.stack([np.zeros([16, 16, 1]), np.ones([16, 16, 1])])
        rng = np.random.default_rng(0)
        for centre in rng.uniform(size=(20, 1, 2)).astype(np.float32):
            pasted, labels = transforms.cutmix(
                tf.constant(images, tf.float32),
                tf.eye(2),
                tf.constant([own] * 2, tf.float32),
                tf.constant(np.repeat(centre, 2, axis=0)),
            )
            share = pasted.numpy()[0].mean()
            np.testing.assert_allclose(labels[0], [1 - share, share], atol=1e-6)
            np.testing.assert_allclose(labels[1], [share, 1 - share], atol=1e-6)
            self.assertLessEqual(share, 1 - own + 0.1)

    def test_pastes_a_rectangle(self):
        images = np.stack([np.zeros([8, 8, 1]), np.ones([8, 8, 1])])
        pasted, _ = transforms.cutmix(
            tf.constant(images, tf.float32),
            tf.eye(2),
            tf.constant([0.75, 0.75]),
            tf.constant([[0.5, 0.25]] * 2),
        )
        # A quarter of the area is half of each side: 4 pixels around row 4
        # and column 2.
        expected = np.zeros([8, 8])
        expected[2:6, 0:4] = 1
        np.testing.assert_array_equal(pasted[0, :, :, 0], expected)


class AugmentTest(absltest.TestCase):
    def test_rounds_uint8_and_keeps_floats(self):
        chosen = augmentation.Augmentation(mixup=1.0)
        numbers = {"mixup": tf.constant([0.5, 0.5])}
        images = np.array([0, 1], np.uint8).reshape(2, 1, 1, 1)
        labels = tf.eye(2)
        for dtype, expected in ((tf.uint8, 0), (tf.float32, 0.5)):
            mixed, _ = transforms.augment(
                tf.cast(images, dtype), labels, numbers, chosen
            )
            self.assertEqual(mixed.dtype, dtype)
            self.assertEqual(float(mixed[0, 0, 0, 0]), expected)

    def test_does_one_or_the_other_where_both_are_on(self):
        chosen = augmentation.Augmentation(mixup=1.0, cutmix=1.0)
        images = np.stack([np.zeros([4, 4, 1]), np.full([4, 4, 1], 100.0)])
        mixed, labels = transforms.augment(
            tf.constant(images, tf.float32),
            tf.eye(2),
            {
                "mixup": tf.constant([0.5, 0.5]),
                "cutmix": tf.constant([0.75, 0.75]),
                "box": tf.constant([[0.5, 0.5]] * 2),
                "which": tf.constant([0.4, 0.6]),
            },
            chosen,
        )
        self.assertEqual(np.unique(mixed[0]).tolist(), [50.0])
        self.assertEqual(np.unique(mixed[1]).tolist(), [0.0, 100.0])
        np.testing.assert_allclose(labels, [[0.5, 0.5], [0.25, 0.75]])


if __name__ == "__main__":
    absltest.main()
