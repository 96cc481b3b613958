"""Archives of arrays: which names are read, and what is an error."""

import pathlib

import files_for_tests
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import sources

IMAGES = files_for_tests.random_images(12, 5, 5, 3)
LABELS = np.arange(12) % 3


class ArchivesTest(parameterized.TestCase):
    def load(self, **arrays):
        path = pathlib.Path(self.create_tempdir().full_path) / "data.npz"
        np.savez(path, **arrays)
        return sources.load(f"npz:{path}")

    def assert_refuses(self, words, **arrays):
        with self.assertRaisesRegex(ValueError, words):
            self.load(**arrays)

    def test_reads_training_and_test_parts(self):
        data = self.load(
            x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:6], y_test=LABELS[:6]
        )
        self.assertEqual(
            data.num_examples, {"train": 9, "validation": 3, "test": 6}
        )
        ((images, labels),) = files_for_tests.batches(data.test)
        np.testing.assert_array_equal(images, IMAGES[:6])
        np.testing.assert_array_equal(labels, LABELS[:6])

    @parameterized.parameters("val", "validation")
    def test_reads_a_validation_part(self, name):
        data = self.load(
            **{"x_train": IMAGES, "y_train": LABELS},
            **{f"x_{name}": IMAGES[:4], f"y_{name}": LABELS[:4]},
        )
        self.assertEqual(
            data.num_examples, {"train": 12, "validation": 4, "test": 0}
        )

    def test_reads_class_names(self):
        data = self.load(
            x_train=IMAGES, y_train=LABELS, class_names=["a", "b", "c"]
        )
        self.assertEqual(data.class_names, ("a", "b", "c"))

    def test_reads_texts(self):
        texts = np.array([f"text {index}" for index in range(12)])
        data = self.load(
            x_train=texts, y_train=LABELS, x_test=texts, y_test=LABELS
        )
        ((result, _),) = files_for_tests.batches(data.test)
        self.assertEqual([text.decode() for text in result], texts.tolist())

    def test_a_test_part_without_labels_is_left_out_with_a_warning(self):
        with self.assertWarnsRegex(UserWarning, "no labels"):
            data = self.load(x_train=IMAGES, y_train=LABELS, x_test=IMAGES)
        self.assertIsNone(data.test)

    def test_an_unknown_array_is_named(self):
        self.assert_refuses(
            "'x_tset'.*Did you mean 'x_test'",
            x_train=IMAGES,
            y_train=LABELS,
            x_tset=IMAGES,
        )

    def test_missing_labels_are_named(self):
        self.assert_refuses("no pair.*train part.*'x_train'", x_train=IMAGES)

    def test_a_missing_training_part_is_named(self):
        self.assert_refuses("no training part", x_test=IMAGES, y_test=LABELS)

    def test_an_error_in_an_array_names_the_file(self):
        self.assert_refuses(
            r"data.npz: 1 labels in `train`.*nan at position 11",
            x_train=IMAGES,
            y_train=np.array([*LABELS[:11], np.nan]),
        )

    def test_objects_are_not_unpickled(self):
        self.assert_refuses(
            "data.npz cannot be read", x_train=np.array([{}]), y_train=LABELS
        )

    def test_what_is_no_archive_is_named(self):
        path = self.create_tempfile("x.npz", content="hello").full_path
        with self.assertRaisesRegex(ValueError, "x.npz cannot be read"):
            sources.load(f"npz:{path}")


if __name__ == "__main__":
    absltest.main()
