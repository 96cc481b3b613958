"""Labels that cannot be right are refused, with their position."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import labels


class WholeNumbersTest(parameterized.TestCase):
    @parameterized.parameters(
        ([0, 1],), ([0.0, 1.0],), ([[0], [1]],), ([False, True],)
    )
    def test_takes_what_is_a_whole_number(self, given):
        result = labels.whole_numbers(given, where="y")
        self.assertEqual(result.dtype, np.int64)
        self.assertEqual(result.tolist(), [0, 1])

    def test_names_the_position_of_nan(self):
        with self.assertRaisesRegex(ValueError, "1 labels in y .*nan at.* 2"):
            labels.whole_numbers([0, 1, np.nan], where="y")

    def test_names_the_position_of_a_fraction(self):
        with self.assertRaisesRegex(ValueError, "0.5 at position 1"):
            labels.whole_numbers([0, 0.5], where="y")

    def test_says_what_to_do_with_one_hot_rows(self):
        with self.assertRaisesRegex(ValueError, r"\(2, 3\).*argmax"):
            labels.whole_numbers(np.eye(3)[:2], where="y")

    def test_refuses_names(self):
        with self.assertRaisesRegex(ValueError, "not numbers.*class_names"):
            labels.whole_numbers(["cat", "dog"], where="y")


class CheckRangeTest(parameterized.TestCase):
    @parameterized.parameters(-1, 3)
    def test_names_the_first_one_out_of_range(self, wrong):
        with self.assertRaisesRegex(
            ValueError, f"{wrong} at position 1.*from 0 to 2"
        ):
            labels.check_range([0, wrong, 2], 3, where="y")


class AreMissingTest(absltest.TestCase):
    def test_warns_where_all_are_missing(self):
        for missing in (None, np.array([-1, -1])):
            with self.assertWarnsRegex(UserWarning, "y_test.*no labels"):
                self.assertTrue(labels.are_missing(missing, where="y_test"))

    def test_is_false_where_some_are_there(self):
        self.assertFalse(labels.are_missing(np.array([-1, 0]), where="y"))


class CheckClassesTest(absltest.TestCase):
    def test_refuses_a_single_class(self):
        with self.assertRaisesRegex(ValueError, "too few classes.*cat"):
            labels.check_classes("pets", ("cat",), [0, 0])

    def test_names_a_class_without_examples(self):
        with self.assertRaisesRegex(ValueError, "without a training.*'cow'"):
            labels.check_classes("pets", ("cat", "cow", "dog"), [0, 2])

    def test_names_a_class_that_comes_twice(self):
        with self.assertRaisesRegex(ValueError, "Got twice: .'cat'"):
            labels.check_classes("pets", ("cat", "dog", "cat"), [0, 1, 2])


if __name__ == "__main__":
    absltest.main()
