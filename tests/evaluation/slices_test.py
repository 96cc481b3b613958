"""Parts of data by a column."""

import numpy as np
from absl.testing import absltest

from tl_keras.evaluation import slices


class PartsTest(absltest.TestCase):
    def test_every_example_is_in_one_part(self):
        for values in (
            ["b", "a", "b", ""],
            [1, 2, 2, 10],
            ["1", "2", "2", "10"],
            [0.5, np.nan, 0.5, 1.0],
        ):
            parts = slices.parts(values, 4, "column")
            every = np.concatenate(list(parts.values()))
            self.assertEqual(sorted(every), [0, 1, 2, 3])

    def test_numbers_are_in_their_order(self):
        parts = slices.parts(["10", "2", "1"], 3, "column")
        self.assertEqual(list(parts), ["1", "2", "10"])

    def test_many_numbers_become_ranges(self):
        values = np.arange(100.0)
        parts = slices.parts(values, 100, "column")
        self.assertLen(parts, 4)
        self.assertEqual([len(part) for part in parts.values()], [25] * 4)
        self.assertEqual(list(parts)[0], "0 to 24.75")

    def test_another_length_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"'day'.*Expected \(3,\)"):
            slices.parts(["a"], 3, "day")

    def test_columns_of_one_value_or_too_many_texts_say_nothing(self):
        columns = {
            "one": ["a"] * 30,
            "many": [f"text {index}" for index in range(30)],
            "two": ["a", "b"] * 15,
            "numbers": np.arange(30),
        }
        self.assertEqual(
            list(slices.worth_slicing(columns)), ["two", "numbers"]
        )


if __name__ == "__main__":
    absltest.main()
