"""Tests of what parts have in common: balance, leakage, what to exclude."""

import numpy as np
from absl.testing import absltest

from tl_keras.auditing import balance
from tl_keras.auditing import collection
from tl_keras.auditing import duplicates
from tl_keras.auditing import exclude_list
from tl_keras.auditing import files
from tl_keras.auditing import leakage
from tl_keras.data import arrays


def some_data():
    """Eight training examples, two for validation, four for testing."""
    images = np.arange(14 * 4, dtype=np.uint8).reshape(14, 2, 2, 1)
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0])
    return arrays.from_arrays(
        (images[:8], labels[:8]),
        validation=(images[8:10], labels[8:10]),
        test=(images[10:], labels[10:]),
        class_names=("cat", "dog"),
    )


def group(*indices, exact=False):
    return duplicates.DuplicateGroup(tuple(indices), exact, 0.9)


class PartsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.collection = collection.of(some_data())

    def test_inputs_of_all_parts_are_read_by_index(self):
        found = self.collection.read([13, 0, 8])
        self.assertEqual(found[:, 0, 0, 0].tolist(), [52, 0, 32])

    def test_balance_is_counted(self):
        found = balance.of(self.collection)
        self.assertEqual(found.counts["train"], {"cat": 6, "dog": 2})
        self.assertEqual(found.largest_to_smallest, 3.0)
        # Entropy of (3/4, 1/4) in bits.
        self.assertAlmostEqual(found.evenness, 0.8112781)
        self.assertAlmostEqual(found.drift["test"], 0.25)
        self.assertAlmostEqual(found.drift["validation"], 0.25)
        self.assertEqual(found.missing, {"test": ["dog"]})

    def test_leakage_counts_examples_with_a_copy_in_training(self):
        found = leakage.of(
            self.collection, [group(0, 10, 11), group(1, 2), group(9, 12)]
        )
        self.assertEqual(found.duplicates, {"validation": 0, "test": 2})
        self.assertEqual(found.duplicate_shares["test"], 0.5)
        self.assertIsNone(found.groups)

    def test_groups_in_several_parts_are_named(self):
        people = np.array(list("aabbccdd" + "ee" + "afgh"), object)
        found = leakage.of(self.collection, [], people)
        self.assertEqual(found.groups, {"a": {"train": 2, "test": 1}})
        self.assertEqual(found.in_groups, {"validation": 0, "test": 1})

    def test_of_copies_the_part_that_judges_keeps_its_own(self):
        unreadable = files.FileFindings(1, {"broken.png": "?"}, {}, {})
        found = exclude_list.of(
            self.collection,
            unreadable,
            [group(0, 8, 10), group(1, 9), group(2, 3, exact=True)],
        )
        self.assertEqual(
            found,
            {
                "broken.png": "unreadable",
                "train[0]": "copy of a test example",
                "validation[0]": "copy of a test example",
                "train[1]": "copy of a validation example",
                "train[3]": "copy of another example",
            },
        )

    def test_copies_with_different_labels_all_go(self):
        found = exclude_list.of(
            self.collection, files.FileFindings(0, {}, {}, {}), [group(5, 6)]
        )
        self.assertEqual(
            found,
            dict.fromkeys(
                ["train[5]", "train[6]"], "copies with different labels"
            ),
        )

    def test_the_test_part_stays_as_it_is(self):
        found = exclude_list.of(
            self.collection, files.FileFindings(0, {}, {}, {}), [group(10, 11)]
        )
        self.assertEqual(found, {})


if __name__ == "__main__":
    absltest.main()
