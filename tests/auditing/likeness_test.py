"""Tests of how alike two pictures are."""

import numpy as np
import pictures_for_tests
import PIL.Image
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.auditing import likeness


def grey(pictures):
    return pictures.mean(axis=-1).astype(np.uint8)


def of_copies(copy, **options):
    pictures = pictures_for_tests.pictures(20)
    copies = np.stack([copy(picture) for picture in pictures])
    both = np.concatenate([grey(pictures), grey(copies)])
    pairs = np.stack([np.arange(20), np.arange(20, 40)], axis=1)
    return likeness.of_pairs(both, pairs, **options)


class LikenessTest(parameterized.TestCase):
    @parameterized.parameters("flipped", "recompressed", "cropped")
    def test_copies_are_alike(self, kind):
        found = of_copies(getattr(pictures_for_tests, kind))
        self.assertGreater(found.min(), 0.85)

    def test_a_copy_that_lost_two_sides_is_alike(self):
        def cut(picture):
            inner = PIL.Image.fromarray(picture[4:, 4:])
            return np.asarray(inner.resize((32, 32), PIL.Image.BILINEAR))

        self.assertGreater(of_copies(cut, quick=False).min(), 0.9)

    def test_a_mirror_image_counts_only_if_asked_for(self):
        found = of_copies(pictures_for_tests.flipped, mirrored=False)
        self.assertLess(found.max(), 0.7)

    def test_brightness_and_contrast_do_not_matter(self):
        found = of_copies(lambda picture: (picture * 0.5 + 90).astype(np.uint8))
        self.assertGreater(found.min(), 0.97)

    def test_other_pictures_are_not_alike(self):
        pictures = grey(pictures_for_tests.pictures(40))
        pairs = np.argwhere(np.triu(np.ones((40, 40)), 1))
        found = likeness.of_pairs(pictures, pairs, quick=False)
        self.assertLess(found.max(), 0.75)

    def test_a_sky_with_a_dot_is_not_like_another_one(self):
        sky = np.tile(np.linspace(120, 200, 32)[:, None], (1, 32))
        pictures = np.stack([sky, sky]).astype(np.uint8)
        pictures[0, 8:12, 8:12] = 30
        pictures[1, 20:25, 18:24] = 30
        [found] = likeness.of_pairs(pictures, [[0, 1]], quick=False)
        self.assertLess(found, 0.6)

    def test_a_first_look_leaves_copies_as_they_are(self):
        copies = of_copies(pictures_for_tests.cropped)
        unhurried = of_copies(pictures_for_tests.cropped, quick=False)
        np.testing.assert_array_equal(copies, unhurried)


if __name__ == "__main__":
    absltest.main()
