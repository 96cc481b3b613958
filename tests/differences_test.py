"""Tests of how two settings differ."""

from absl.testing import absltest

from tl_keras import differences


class LinesTest(absltest.TestCase):
    def test_equal_settings_give_none(self):
        settings = {"a": {"b": [1, 2.5, None]}, "c": {}}
        self.assertEqual(differences.lines(settings, dict(settings)), [])

    def test_what_is_new_and_what_is_gone_are_told(self):
        self.assertEqual(
            differences.lines({"a": 1, "b": "x"}, {"a": 1, "c": None}),
            ["b: 'x' earlier, nothing now", "c: nothing earlier, None now"],
        )

    def test_a_dict_in_place_of_a_number_is_told(self):
        self.assertEqual(
            differences.lines({"a": None}, {"a": {"b": 1}}, where="in it"),
            ["a: None in it, nothing now", "a.b: nothing in it, 1 now"],
        )

    def test_of_many_the_first_ten_are_shown(self):
        one = {str(number): number for number in range(25)}
        other = {str(number): -1 for number in range(25)}
        found = differences.lines(one, other)
        self.assertLen(found, 11)
        self.assertEqual(found[-1], "and 15 more")


if __name__ == "__main__":
    absltest.main()
