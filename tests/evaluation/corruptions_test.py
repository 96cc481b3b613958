"""Tests of common corruptions of images, most against NumPy or Pillow."""

import io

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized
from PIL import Image

from tl_keras.evaluation import corruptions


def image(size=32, channels=3):
    """Soft shapes in colour, no value at the ends of the range."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 190, (4, 4, channels)).astype(np.uint8)
    planes = [
        np.asarray(Image.fromarray(plane).resize((size, size)))
        for plane in np.moveaxis(coarse, -1, 0)
    ]
    return np.stack(planes, axis=-1)


def distance(one, other):
    return np.abs(one.astype(float) - other).mean()


class EveryCorruptionTest(parameterized.TestCase):
    @parameterized.product(name=corruptions.NAMES, size=(32, 96))
    def test_changes_the_image_more_at_the_highest_severity(self, name, size):
        before = image(size)
        mild, strong = (
            corruptions.corrupt(before, name, severity) for severity in (1, 5)
        )
        self.assertEqual(strong.shape, before.shape)
        self.assertEqual(strong.dtype, np.uint8)
        self.assertGreater(distance(strong, before), 0)
        # CIFAR-10-C's elastic transform tilts less where it bends more.
        if name != "elastic_transform":
            self.assertGreater(distance(strong, before), distance(mild, before))

    @parameterized.parameters(*corruptions.NAMES)
    def test_follows_from_seed_and_index_alone(self, name):
        before = image()

        def corrupted(seed, index):
            return corruptions.corrupt(before, name, 4, seed=seed, index=index)

        first = corrupted(1, 2)
        others = [corrupted(1, 3), corrupted(2, 2)]
        np.testing.assert_array_equal(corrupted(1, 2), first)
        differs = [not np.array_equal(first, other) for other in others]
        same_for_all = {
            "gaussian_blur",
            "defocus_blur",
            "zoom_blur",
            "brightness",
            "contrast",
            "saturate",
            "pixelate",
            "jpeg_compression",
        }
        if name != "rotation":  # To the left or to the right, no more.
            self.assertEqual(differs, [name not in same_for_all] * 2)

    @parameterized.parameters(*corruptions.NAMES)
    def test_takes_grey_images_and_leaves_transparency_alone(self, name):
        grey = image(channels=1)
        self.assertEqual(corruptions.corrupt(grey, name, 3).shape, grey.shape)
        four = np.concatenate([image(), image(channels=1)], axis=-1)
        found = corruptions.corrupt(four, name, 3, seed=5)
        np.testing.assert_array_equal(found[..., 3], four[..., 3])
        np.testing.assert_array_equal(
            found[..., :3], corruptions.corrupt(image(), name, 3, seed=5)
        )


class SingleCorruptionsTest(absltest.TestCase):
    def test_noise_has_the_deviation_that_is_published(self):
        grey = np.full((200, 200, 3), 128, np.uint8)
        # ImageNet-C: 0.08 and 0.26 of the range at severities 1 and 4;
        # speckle 0.15 of the value; 60 photons at white.
        for name, severity, expected in (
            ("gaussian_noise", 1, 0.08 * 255),
            ("speckle_noise", 1, 0.15 * 128),
            ("shot_noise", 1, np.sqrt(128 / 255 / 60) * 255),
        ):
            found = corruptions.corrupt(grey, name, severity).astype(float)
            self.assertAlmostEqual(found.mean(), 128, delta=0.5)
            self.assertAlmostEqual(found.std() / expected, 1, delta=0.02)

    def test_impulses_hit_the_share_that_is_published(self):
        grey = np.full((200, 200, 3), 128, np.uint8)
        found = corruptions.corrupt(grey, "impulse_noise", 5)
        self.assertAlmostEqual(np.mean(found != 128), 0.27, delta=0.005)
        self.assertCountEqual(np.unique(found), [0, 128, 255])

    def test_contrast_brings_each_channel_closer_to_its_mean(self):
        before = image()
        means = before.mean(axis=(0, 1))
        expected = (before - means) * 0.4 + means
        found = corruptions.corrupt(before, "contrast", 3)
        np.testing.assert_allclose(found, expected, atol=0.51)

    def test_brightness_adds_to_the_largest_channel(self):
        before = image()
        found = corruptions.corrupt(before, "brightness", 4).astype(float)
        largest = before.max(axis=-1)
        np.testing.assert_allclose(
            found.max(axis=-1), np.minimum(largest + 0.2 * 255, 255), atol=0.51
        )
        # Hue and saturation stay: the channels keep their proportions.
        np.testing.assert_allclose(
            found / found.max(axis=-1, keepdims=True),
            before / largest[..., None],
            atol=0.01,
        )

    def test_jpeg_is_that_of_pillow(self):
        before, encoded = image(), io.BytesIO()
        Image.fromarray(before).save(encoded, "JPEG", quality=40)
        np.testing.assert_array_equal(
            corruptions.corrupt(before, "jpeg_compression", 5),
            np.asarray(Image.open(encoded)),
        )

    def test_defocus_spreads_a_point_over_a_disk(self):
        point = np.zeros((224, 224, 3), np.uint8)
        point[112, 112] = 255
        found = corruptions.corrupt(point, "defocus_blur", 1)[..., 0]
        # Radius 3: 29 whole pixels, of which each gets a 29th.
        rows, columns = np.nonzero(found)
        self.assertLen(rows, 29)
        self.assertLessEqual(
            ((rows - 112) ** 2 + (columns - 112) ** 2).max(), 9
        )
        np.testing.assert_allclose(found[rows, columns], 255 / 29, atol=0.51)

    def test_glass_copies_near_pixels_and_invents_none(self):
        before = image()
        # At severity 1 of small images the blur is 0.05 pixels: none.
        found = corruptions.corrupt(before, "glass_blur", 1)
        np.testing.assert_array_equal(found[0], before[0])
        padded = np.pad(before, ((1, 1), (1, 1), (0, 0)), mode="edge")
        near = [
            (found == padded[row : row + 32, column : column + 32]).all(-1)
            for row in range(3)
            for column in range(3)
        ]
        # A copy of a copy comes from further away.
        self.assertGreater(np.mean(np.any(near, axis=0)), 0.7)
        self.assertTrue(
            {tuple(v) for v in found.reshape(-1, 3).tolist()}
            <= {tuple(v) for v in before.reshape(-1, 3).tolist()}
        )

    def test_an_unknown_name_or_severity_is_refused(self):
        with self.assertRaisesRegex(ValueError, "Did you mean 'snow'"):
            corruptions.corrupt(image(), "snoww", 1)
        with self.assertRaisesRegex(ValueError, "Unknown `severity`"):
            corruptions.corrupt(image(), "snow", 6)


if __name__ == "__main__":
    absltest.main()
