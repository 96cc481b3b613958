"""RandAugment's operations, against Pillow where it has them."""

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import rand_augment

OPERATIONS = [
    operation.__name__.strip("_") for operation in rand_augment._OPERATIONS
]


def apply(images, name, sign=1, magnitude=10.0):
    """One operation on all images, chosen by the numbers."""
    choice = (OPERATIONS.index(name) + 0.5) / len(OPERATIONS)
    direction = 0.75 if sign > 0 else 0.25
    numbers = tf.constant([[choice, direction]] * len(images), tf.float32)
    images = tf.constant(images, tf.float32)
    return rand_augment.apply(images, numbers, magnitude).numpy()


def photograph():
    """A smooth picture with some noise, which uses part of the range."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0.0:1:24j, 0:1:32j]
    planes = [rows, columns, (rows + columns) / 2]
    smooth = 40 + 150 * np.stack(planes, -1)
    return (smooth + rng.uniform(0, 20, smooth.shape)).astype(np.uint8)


class RandAugmentTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.image = photograph()
        self.picture = PIL.Image.fromarray(self.image)

    def check(self, name, expected, atol, sign=1, magnitude=10.0):
        (changed,) = apply(self.image[None], name, sign, magnitude)
        np.testing.assert_allclose(changed, np.asarray(expected), atol=atol)

    def test_identity_leaves_the_image(self):
        self.check("identity", self.image, 0)

    def test_auto_contrast_is_pillows(self):
        self.check("auto_contrast", PIL.ImageOps.autocontrast(self.picture), 1)

    def test_equalize_is_pillows(self):
        self.check("equalize", PIL.ImageOps.equalize(self.picture), 0)

    def test_posterize_is_pillows(self):
        self.check("posterize", PIL.ImageOps.posterize(self.picture, 4), 0)

    def test_solarize_is_pillows(self):
        expected = PIL.ImageOps.solarize(self.picture, 128)
        self.check("solarize", expected, 0, magnitude=5.0)

    @parameterized.product(
        pair=[
            ("brightness", PIL.ImageEnhance.Brightness),
            ("contrast", PIL.ImageEnhance.Contrast),
            ("colour", PIL.ImageEnhance.Color),
            ("sharpness", PIL.ImageEnhance.Sharpness),
        ],
        sign=[-1, 1],
    )
    def test_enhancements_are_pillows(self, pair, sign):
        name, enhancement = pair
        expected = enhancement(self.picture).enhance(1 + sign * 0.45)
        # Pillow rounds the grey or blurred image before it blends.
        self.check(name, expected, 2, sign=sign, magnitude=5.0)

    @parameterized.parameters(-1, 1)
    def test_rotation_is_pillows(self, sign):
        expected = self.picture.rotate(
            sign * 15, PIL.Image.Resampling.BILINEAR, fillcolor=(128,) * 3
        )
        (changed,) = apply(self.image[None], "rotate", sign, magnitude=5.0)
        # At the border the two blend with what is outside differently.
        inside = (slice(8, -8), slice(8, -8))
        np.testing.assert_allclose(
            changed[inside], np.asarray(expected)[inside], atol=2
        )

    def test_translation_moves_the_image_and_fills_with_grey(self):
        # 0.45 * 20 columns: 9 whole pixels.
        image = self.image[:20, :20]
        (moved,) = apply(image[None], "translate_x")
        np.testing.assert_allclose(moved[:, :11], image[:, 9:], atol=1e-3)
        np.testing.assert_array_equal(moved[:, 12:], np.full([20, 8, 3], 128))
        (moved,) = apply(image[None], "translate_y", sign=-1)
        np.testing.assert_allclose(moved[9:], image[:11], atol=1e-3)

    def test_shear_leaves_the_middle_row(self):
        image = self.image[:21, :21]
        (sheared,) = apply(image[None], "shear_x")
        np.testing.assert_allclose(sheared[10], image[10], atol=1e-3)
        # Ten rows below, 0.3 * 10 pixels to the left.
        np.testing.assert_allclose(sheared[20, :18], image[20, 3:], atol=1e-2)
        (sheared,) = apply(image[None], "shear_y")
        np.testing.assert_allclose(sheared[:, 10], image[:, 10], atol=1e-3)

    @parameterized.parameters(*OPERATIONS)
    def test_magnitude_zero_changes_nothing(self, name):
        if name in ("auto_contrast", "equalize"):
            self.skipTest("has no magnitude")
        self.check(name, self.image, 0.01, magnitude=0.0)

    @parameterized.parameters(1, 3)
    def test_each_image_gets_the_operation_of_its_numbers(self, channels):
        images = np.random.default_rng(0).uniform(0, 255, [30, 8, 8, channels])
        images = images.astype(np.float32)
        numbers = np.random.default_rng(1).uniform(size=[30, 2])
        numbers = numbers.astype(np.float32)
        together = rand_augment.apply(images, numbers, 7.0).numpy()
        self.assertEqual(together.shape, images.shape)
        self.assertBetween(together.min(), 0, 255)
        self.assertBetween(together.max(), 0, 255)
        for index in range(30):
            one = slice(index, index + 1)
            alone = rand_augment.apply(images[one], numbers[one], 7.0)
            np.testing.assert_array_equal(together[one], alone)

    def test_a_plain_image_stays_plain(self):
        plain = np.full([1, 6, 6, 3], 90.0)
        for name in ("auto_contrast", "equalize", "contrast", "sharpness"):
            np.testing.assert_allclose(apply(plain, name), plain, atol=0.02)


if __name__ == "__main__":
    absltest.main()
