"""Parts of examples are stratified, seeded and disjoint."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import splits

LABELS = np.repeat([0, 1, 2], [60, 30, 10])
NAMES = ("a", "b", "c")


def hold_out(labels, count, seed=0, class_names=NAMES):
    return splits.hold_out(labels, count, seed=seed, class_names=class_names)


def subset(labels, count, seed=0, class_names=NAMES):
    return splits.subset(labels, count, seed=seed, class_names=class_names)


class HoldOutTest(absltest.TestCase):
    def test_holds_out_each_class_in_proportion(self):
        rest, held_out = hold_out(LABELS, 20)
        self.assertEqual(np.bincount(LABELS[held_out]).tolist(), [12, 6, 2])
        self.assertEqual(np.bincount(LABELS[rest]).tolist(), [48, 24, 8])

    def test_puts_each_example_into_one_part(self):
        rest, held_out = hold_out(LABELS, 20)
        self.assertEqual(sorted([*rest, *held_out]), list(range(100)))

    def test_depends_on_the_seed_alone(self):
        _, first = hold_out(LABELS, 20, seed=1)
        np.random.seed(5)
        _, again = hold_out(LABELS, 20, seed=1)
        _, other = hold_out(LABELS, 20, seed=2)
        self.assertEqual(first.tolist(), again.tolist())
        self.assertNotEqual(first.tolist(), other.tolist())

    def test_holds_out_as_many_as_there_are_classes_at_least(self):
        _, held_out = hold_out(LABELS, 1)
        self.assertLen(held_out, 3)

    def test_names_a_class_with_one_example(self):
        with self.assertRaisesRegex(ValueError, "Class 'b' has 1 training"):
            hold_out(np.array([0, 0, 1, 2, 2]), 3)

    def test_refuses_to_hold_out_almost_everything(self):
        with self.assertRaisesRegex(ValueError, "Got: 98 of 100"):
            hold_out(LABELS, 98)


class SubsetTest(parameterized.TestCase):
    @parameterized.parameters(
        (10, [6, 3, 1]), (50, [30, 15, 5]), (99, [59, 30, 10]), (3, [1, 1, 1])
    )
    def test_chooses_each_class_in_proportion(self, count, expected):
        chosen = subset(LABELS, count)
        counts = np.bincount(LABELS[chosen])
        self.assertLen(set(chosen), count)
        np.testing.assert_allclose(counts, expected, atol=1)
        self.assertEqual(counts.sum(), count)
        self.assertTrue((counts >= 1).all())

    def test_keeps_rare_classes(self):
        labels = np.repeat(np.arange(5), [96, 1, 1, 1, 1])
        chosen = subset(labels, 5, class_names="abcde")
        self.assertEqual(sorted(labels[chosen]), [0, 1, 2, 3, 4])

    def test_depends_on_the_seed_alone(self):
        self.assertEqual(subset(LABELS, 9).tolist(), subset(LABELS, 9).tolist())
        self.assertNotEqual(
            subset(LABELS, 9).tolist(), subset(LABELS, 9, seed=1).tolist()
        )

    @parameterized.parameters(2, 101)
    def test_refuses_too_few_and_too_many(self, count):
        with self.assertRaisesRegex(ValueError, f"Got: {count}.*between 3"):
            subset(LABELS, count)


if __name__ == "__main__":
    absltest.main()
