"""Tests of perceptual hashes."""

import numpy as np
import pictures_for_tests
from absl.testing import absltest
from scipy import fft

from tl_keras.auditing import perceptual_hashes


def grey(pictures):
    return pictures.mean(axis=-1).astype(np.uint8)


class PerceptualHashesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = grey(pictures_for_tests.pictures(60))
        cls.hashes = perceptual_hashes.of(cls.pictures)

    def test_a_sign_says_whether_a_frequency_is_above_the_median(self):
        low = fft.dctn(self.pictures[0].astype(float))[:8, :8].ravel()[1:]
        expected = np.where(low > np.median(low), 1, -1)
        # Frequencies next to the median may be rounded to its other side.
        self.assertGreaterEqual((self.hashes.whole[0] == expected).sum(), 62)

    def test_the_mirrored_hash_is_that_of_the_mirror_image(self):
        turned = perceptual_hashes.of(self.pictures[:, :, ::-1])
        agree = (turned.whole == self.hashes.mirrored).mean()
        self.assertGreater(agree, 0.999)

    def test_the_inner_hash_is_that_of_the_picture_without_border(self):
        inner = perceptual_hashes.of(self.pictures[:, 2:-2, 2:-2])
        np.testing.assert_array_equal(inner.whole, self.hashes.inner)

    def test_close_pairs_are_those_that_differ_in_few_signs(self):
        whole = self.hashes.whole
        expected = {
            (a, b)
            for a in range(60)
            for b in range(a + 1, 60)
            for one, other in (
                (whole[a], whole[b]),
                (whole[a], self.hashes.inner[b]),
                (self.hashes.inner[a], whole[b]),
            )
            if (one != other).sum() <= 22
        }
        found = perceptual_hashes.close_pairs(self.hashes, 22, mirrored=False)
        self.assertEqual(set(map(tuple, found.tolist())), expected)
        self.assertGreater(len(expected), 0)

    def test_mirror_images_are_close_where_they_count(self):
        both = np.concatenate([self.pictures[:1], self.pictures[:1, :, ::-1]])
        hashes = perceptual_hashes.of(both)
        found = perceptual_hashes.close_pairs(hashes, 4)
        self.assertEqual(found.tolist(), [[0, 1]])
        found = perceptual_hashes.close_pairs(hashes, 4, mirrored=False)
        self.assertEqual(found.tolist(), [])


if __name__ == "__main__":
    absltest.main()
