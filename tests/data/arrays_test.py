"""Arrays become data, or an error says what is wrong with them."""

import files_for_tests
import numpy as np
import tensorflow as tf
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

    @parameterized.parameters((None,), ("a text",), ({1: 2},))
    def test_what_is_no_array(self, wrong):
        self.assert_refuses(r"wrong shape. Got: \(\)", (wrong, LABELS))

    def test_lengths(self):
        self.assert_refuses("40 inputs and 39 labels", (IMAGES, LABELS[1:]))

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

    def test_one_label_far_beyond_the_others(self):
        with self.assertRaisesRegex(ValueError, "up to 1000000000, with 8 ex"):
            arrays.from_arrays((IMAGES[:8], [0, 1] * 3 + [0, 10**9]))

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
            with self.assertRaisesRegex(TypeError, "pair of inputs and labels"):
                arrays.from_arrays(wrong)

    def test_validation_true(self):
        with self.assertRaisesRegex(TypeError, "`validation`.*bool"):
            arrays.from_arrays((IMAGES, LABELS), validation=True)


class TextsTest(parameterized.TestCase):
    TEXTS = ("a", "Größe", "映画", " b ") * 5

    @parameterized.parameters(
        list,
        tuple,
        np.array,
        lambda texts: np.array(texts, object),
        lambda texts: [np.str_(text) for text in texts],
    )
    def test_are_read_as_they_are(self, kind):
        texts = kind(self.TEXTS)
        labels = np.arange(20) % 2
        data = arrays.from_arrays((texts, labels), test=(texts, labels))
        self.assertEqual(data.input_spec.kind, "text")
        self.assertEqual(data.num_examples["validation"], 2)
        ((result, _),) = files_for_tests.batches(data.test)
        self.assertEqual([text.decode() for text in result], [*self.TEXTS])
        self.assertEqual(data.ids("test")[3], "test[3]")
        plain = arrays.from_arrays(
            ([*self.TEXTS], labels), test=([*self.TEXTS], labels)
        )
        self.assertEqual(data.fingerprint, plain.fingerprint)

    @parameterized.parameters(
        (["a", "b", None, "c"], "`train`, position 2: got None of type None"),
        (["a", "b", np.nan, "c"], "position 2: got nan of type float"),
        (["a", 3, "c", "d"], "position 1: got 3 of type int"),
        ([b"a", b"b", b"c", b"d"], "position 0: got bytes.*decode"),
        (np.array([b"a", b"b", b"c", b"d"]), "position 0: got bytes.*decode"),
        (tf.constant(["a", "b", "c", "d"]), "position 0: got bytes.*decode"),
        (["a", "b", "\t\n", "c"], "position 2: the text is empty"),
        (["a", "b", "c\ud800", "c"], "position 2: .*surrogates"),
        (np.array([["a"], ["b"], ["c"], ["d"]]), "position 0: got array"),
        (np.array([], str), "no texts in `train`"),
    )
    def test_what_is_no_text_is_named_with_its_position(self, texts, words):
        with self.assertRaisesRegex(ValueError, words):
            arrays.from_arrays((texts, np.arange(len(texts)) % 2))

    def test_other_parts_must_be_texts_too(self):
        pair = (self.TEXTS, np.arange(20) % 2)
        with self.assertRaisesRegex(ValueError, "`test`, position 0"):
            arrays.from_arrays(pair, test=(IMAGES, LABELS))

    @parameterized.parameters({"image_size": 8}, {"channels": 1})
    def test_choices_of_images_are_refused(self, **options):
        (name,) = options
        with self.assertRaisesRegex(ValueError, f"`{name}` is for"):
            arrays.from_arrays((self.TEXTS, np.arange(20) % 2), **options)


class WaveformErrorsTest(parameterized.TestCase):
    WAVEFORMS = np.zeros([4, 50], np.float32)

    def assert_refuses(self, words, waveforms, **options):
        with self.assertRaisesRegex(ValueError, words):
            arrays.from_arrays(
                (waveforms, [0, 1, 0, 1]), sample_rate=8000, **options
            )

    @parameterized.parameters(np.nan, np.inf, -2.0, 20000.0)
    def test_values_out_of_range(self, wrong):
        waveforms = self.WAVEFORMS.copy()
        waveforms[2, 7] = wrong
        self.assert_refuses(
            f"1 waveforms of `train`.*position 2, with {wrong}.*by 32768",
            waveforms,
        )

    def test_values_a_little_above_one_are_taken(self):
        waveforms = self.WAVEFORMS + 1.2
        data = arrays.from_arrays(
            (waveforms, [0, 1, 0, 1]), validation=False, sample_rate=8000
        )
        ((clips, _),) = files_for_tests.batches(data.train)
        np.testing.assert_array_equal(clips, waveforms)

    @parameterized.parameters(np.int32, np.uint8, bool, str)
    def test_dtype(self, dtype):
        self.assert_refuses("wrong dtype", self.WAVEFORMS.astype(dtype))

    def test_shape(self):
        waveforms = self.WAVEFORMS[..., None, None]
        self.assert_refuses(r"wrong shape.*\(4, 50, 1, 1\)", waveforms)

    def test_no_samples(self):
        self.assert_refuses("are empty", self.WAVEFORMS[:, :0])

    def test_clips_of_several_lengths(self):
        clips = [np.zeros(3), np.zeros(4), np.zeros(3), np.zeros(3)]
        self.assert_refuses("of one length; pad", clips)

    def test_choices_of_images(self):
        self.assert_refuses("`image_size` is for", self.WAVEFORMS, image_size=8)

    def test_a_sample_rate_that_is_none(self):
        for wrong, error in ((0, ValueError), (8000.0, TypeError)):
            with self.assertRaisesRegex(error, "sample_rate"):
                arrays.from_arrays(
                    (self.WAVEFORMS, [0, 1, 0, 1]), sample_rate=wrong
                )

    def test_without_a_sample_rate_they_are_taken_for_images(self):
        with self.assertRaisesRegex(ValueError, "For sounds pass `sample_rate"):
            arrays.from_arrays((self.WAVEFORMS, [0, 1, 0, 1]))


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
