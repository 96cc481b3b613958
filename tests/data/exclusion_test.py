"""Tests of examples that are left out by name."""

import numpy as np
from absl.testing import absltest

from tl_keras.data import arrays
from tl_keras.data import exclusion
from tl_keras.data import sources


def source():
    images = np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1)
    labels = np.arange(12) % 2
    return arrays.to_source(
        "arrays",
        {
            "train": (images[:8], labels[:8]),
            "validation": None,
            "test": (images[8:], labels[8:]),
        },
    )


class ExclusionTest(absltest.TestCase):
    def test_examples_of_all_parts_go(self):
        kept, counts = exclusion.apply(
            source(), ["train[0]", "train[3]", "test[1]"]
        )
        self.assertEqual(counts, {"train": 2, "test": 1})
        self.assertEqual(
            kept.train.inputs.array.ravel().tolist(), [1, 2, 4, 5, 6, 7]
        )
        self.assertEqual(kept.test.labels.tolist(), [0, 0, 1])

    def test_unknown_ids_are_named(self):
        with self.assertRaisesRegex(
            ValueError, r"1 ids that 'arrays' does not have. Got: 'train\[9\]'"
        ):
            exclusion.apply(source(), ["train[0]", "train[9]"])

    def test_a_part_may_not_become_empty(self):
        ids = [f"test[{number}]" for number in range(4)]
        with self.assertRaisesRegex(ValueError, "nothing of the test part"):
            exclusion.apply(source(), ids)

    def test_a_class_may_not_become_empty(self):
        ids = [f"train[{number}]" for number in range(0, 8, 2)]
        with self.assertRaisesRegex(ValueError, "without a training example"):
            exclusion.apply(source(), ids)

    def test_other_examples_are_another_fingerprint(self):
        options = {"validation_fraction": 0}
        whole = sources.prepare(source(), **options)
        less = sources.prepare(source(), exclude=["train[0]"], **options)
        self.assertEqual(less.excluded, {"train": 1})
        self.assertEqual(less.num_examples["train"], 7)
        self.assertNotEqual(less.fingerprint, whole.fingerprint)
        self.assertEqual(whole.excluded, {})

    def test_a_string_is_no_list_of_ids(self):
        with self.assertRaisesRegex(TypeError, "`exclude`"):
            sources.prepare(source(), exclude="train[0]")


class FileTest(absltest.TestCase):
    def test_lines_for_people_say_nothing(self):
        file = self.create_tempfile(content="# dark\na.png\n\n#1.png\nb c.png")
        found = exclusion.read(file.full_path)
        self.assertEqual(found, ("a.png", "#1.png", "b c.png"))

    def test_a_file_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "absent.txt"):
            exclusion.read("absent.txt")


if __name__ == "__main__":
    absltest.main()
