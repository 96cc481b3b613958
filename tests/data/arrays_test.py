"""Arrays become data, or an error says what is wrong with them."""

import files_for_tests
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import arrays

IMAGES = files_for_tests.random_images(40, 4, 4, 3)
LABELS = np.arange(40) % 4


class ValidationTest(absltest.TestCase):
    def test_none_splits_off_a_tenth_by_class(self):
        data = arrays.from_arrays((IMAGES, LABELS))
        self.assertEqual(data.num_examples["validation"], 4)
        self.assertEqual(sorted(data.labels("validation")), [0, 1, 2, 3])

    def test_no_example_is_in_both_parts(self):
        data = arrays.from_arrays((IMAGES, LABELS))
        train, validation = data.ids("train"), data.ids("validation")
        self.assertEqual(
            sorted(train + validation), sorted(set(train) | set(validation))
        )
        self.assertLen(train + validation, 40)

    def test_images_go_with_their_ids(self):
        data = arrays.from_arrays((IMAGES, LABELS))
        ((images, labels),) = files_for_tests.batches(data.validation)
        for image, label, name in zip(
            images, labels, data.ids("validation"), strict=True
        ):
            index = int(name.removeprefix("train[").removesuffix("]"))
            np.testing.assert_array_equal(image, IMAGES[index])
            self.assertEqual(label, LABELS[index])

    def test_false_means_none(self):
        data = arrays.from_arrays((IMAGES, LABELS), validation=False)
        self.assertEqual(data.num_examples["validation"], 0)
        self.assertEqual(data.num_examples["train"], 40)

    def test_a_part_that_is_given_is_taken(self):
        data = arrays.from_arrays(
            (IMAGES, LABELS), validation=(IMAGES[:8], LABELS[:8])
        )
        self.assertEqual(data.num_examples["train"], 40)
        self.assertEqual(data.num_examples["validation"], 8)

    def test_the_test_part_stays_whole(self):
        data = arrays.from_arrays((IMAGES, LABELS), test=(IMAGES, LABELS))
        self.assertEqual(data.num_examples["test"], 40)


class KindsTest(parameterized.TestCase):
    @parameterized.parameters(np.int64, np.uint16, np.int32)
    def test_integers_become_uint8(self, dtype):
        data = arrays.from_arrays((IMAGES.astype(dtype), LABELS))
        self.assertEqual(data.train.element_spec[0].dtype.name, "uint8")

    def test_floats_become_float32_unrounded(self):
        data = arrays.from_arrays(
            (IMAGES + 0.25, LABELS), test=(IMAGES + 0.25, LABELS)
        )
        images, _ = next(iter(data.test))
        self.assertEqual(images.dtype.name, "float32")
        np.testing.assert_array_equal(images, IMAGES[:32] + np.float32(0.25))

    def test_grey_images_need_no_channels(self):
        data = arrays.from_arrays((IMAGES[..., 0], LABELS))
        self.assertEqual(data.input_spec.channels, 1)

    def test_class_names_are_counted_if_not_given(self):
        data = arrays.from_arrays((IMAGES, LABELS))
        self.assertEqual(data.class_names, ("0", "1", "2", "3"))
        self.assertEqual(data.num_classes, 4)


class ErrorsTest(parameterized.TestCase):
    def assert_refuses(self, words, train=(IMAGES, LABELS), **options):
        with self.assertRaisesRegex(ValueError, words):
            arrays.from_arrays(train, **options)

    def test_shape(self):
        channels_first = IMAGES.transpose(0, 3, 1, 2)[..., :2]
        self.assert_refuses("come last", (channels_first, LABELS))

    def test_sixteen_bits(self):
        self.assert_refuses("divide by 257", (IMAGES * np.uint16(257), LABELS))

    def test_nan_in_an_image(self):
        images = IMAGES.astype(np.float32)
        images[7, 1, 1, 1] = np.nan
        self.assert_refuses("1 images of `train`.*position 7", (images, LABELS))

    def test_no_images(self):
        self.assert_refuses("empty", (IMAGES[:0], LABELS[:0]))

    def test_dtype(self):
        self.assert_refuses("wrong dtype", (IMAGES > 3, LABELS))

    def test_lengths(self):
        self.assert_refuses("40 images and 39 labels", (IMAGES, LABELS[1:]))

    def test_parts_of_different_kinds(self):
        other = IMAGES.astype(np.float32)
        self.assert_refuses(
            "train uint8 with 3 channels, test float32", test=(other, LABELS)
        )

    def test_nan_and_fractions_in_labels(self):
        for wrong in (np.nan, 0.5):
            labels = LABELS.astype(float)
            labels[5] = wrong
            self.assert_refuses(f"{wrong} at position 5", (IMAGES, labels))

    @parameterized.parameters(-1, 4)
    def test_labels_out_of_range(self, wrong):
        labels = LABELS.copy()
        labels[5] = wrong
        self.assert_refuses(
            f"`test` are out of range.*{wrong} at position 5.*0 to 3",
            test=(IMAGES, labels),
        )

    def test_labels_beyond_the_class_names(self):
        self.assert_refuses("2 at position 2.*0 to 1", class_names=["a", "b"])

    def test_a_class_without_examples(self):
        labels = np.where(LABELS == 1, 0, LABELS)
        self.assert_refuses("without a training.*'1'", (IMAGES, labels))

    def test_a_single_class(self):
        self.assert_refuses(
            "too few classes", (IMAGES, LABELS * 0), class_names=["a"]
        )

    def test_images_that_are_not_square(self):
        self.assert_refuses("4 x 3.*image_size", (IMAGES[:, :, :3], LABELS))

    def test_what_is_no_pair(self):
        for wrong in (IMAGES, None):
            with self.assertRaisesRegex(TypeError, "pair of images and labels"):
                arrays.from_arrays(wrong)

    def test_validation_true(self):
        with self.assertRaisesRegex(TypeError, "`validation`.*bool"):
            arrays.from_arrays((IMAGES, LABELS), validation=True)


class MissingLabelsTest(absltest.TestCase):
    def test_leave_the_test_part_out_with_a_warning(self):
        for missing in (None, np.full(40, -1)):
            with self.assertWarnsRegex(UserWarning, "no labels"):
                data = arrays.from_arrays(
                    (IMAGES, LABELS), test=(IMAGES, missing)
                )
            self.assertIsNone(data.test)


if __name__ == "__main__":
    absltest.main()
