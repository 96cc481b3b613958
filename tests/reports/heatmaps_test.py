"""Tests of pictures of explanations."""

import pathlib

import numpy as np
from absl.testing import absltest
from PIL import Image

from tl_keras.interpretation import explanations
from tl_keras.interpretation import sanity
from tl_keras.reports import heatmaps


def checks():
    curve = [0.0, 0.5, 1.0]
    return sanity.Checks(
        fractions=curve,
        deletion=curve[::-1],
        insertion=curve,
        random_deletion=curve[::-1],
        random_insertion=curve,
        deletion_area=0.5,
        insertion_area=0.5,
        random_deletion_area=0.5,
        random_insertion_area=0.5,
        randomised_deletion_area=0.5,
        randomised_insertion_area=0.5,
        randomised_correlation=None,
        passes=False,
    )


def explanation(**fields):
    return explanations.Explanation(
        class_index=0, probability=0.5, predicted=0, checks=checks(), **fields
    )


class OverlayTest(absltest.TestCase):
    def test_shows_the_image_in_grey_where_the_map_is_zero(self):
        image = np.full((2, 2, 3), [30, 60, 90], np.uint8)
        found = heatmaps.overlay(image, [[0.0, 1.0], [0.0, 0.0]])
        np.testing.assert_array_equal(found[0, 0], [60, 60, 60])
        red, _, blue = found[0, 1].tolist()
        self.assertGreater(red, blue + 50)

    def test_of_both_signs_is_red_and_blue(self):
        found = heatmaps.overlay(np.zeros((1, 3, 3)), [[-1.0, 0.0, 1.0]])
        against, nothing, speaks_for = found[0].astype(int)
        self.assertGreater(against[2], against[0])
        self.assertGreater(speaks_for[0], speaks_for[2])
        np.testing.assert_array_equal(nothing, 0)

    def test_a_map_of_zeros_and_grey_images_are_fine(self):
        found = heatmaps.overlay(np.full((2, 2, 1), 50), np.zeros((2, 2)))
        np.testing.assert_array_equal(found, 50)

    def test_a_map_of_another_size_is_refused(self):
        with self.assertRaisesRegex(ValueError, "does not fit"):
            heatmaps.overlay(np.zeros((2, 2, 3)), np.zeros((3, 2)))


class PicturesTest(absltest.TestCase):
    def path(self):
        return pathlib.Path(self.create_tempdir().full_path) / "new" / "a.png"

    def test_of_an_image_is_written(self):
        one = explanation(method="grad_cam", map=np.eye(8))
        image = np.zeros((8, 8, 1), np.uint8)
        path = heatmaps.image_explanation(image, one, "$a_1$", self.path())
        self.assertGreater(Image.open(path).width, 800)

    def test_of_a_long_text_is_no_taller_than_its_forty_words(self):
        tokens = [(f"word{i}", float(i - 50)) for i in range(100)]
        one = explanation(method="shap", tokens=tokens)
        path = heatmaps.text_explanation(one, "a text", self.path())
        self.assertLess(Image.open(path).height, 110 * 9)


if __name__ == "__main__":
    absltest.main()
