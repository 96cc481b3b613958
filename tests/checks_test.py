"""Tests of checks."""

import math

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import checks


class OneOfTest(absltest.TestCase):
    def test_returns_what_is_allowed(self):
        self.assertEqual(checks.one_of(2, (1, 2), name="n"), 2)

    def test_lists_what_is_allowed_and_proposes_the_closest(self):
        with self.assertRaisesRegex(
            ValueError,
            r"Unknown `optimizer`\. Got: 'ADAMV'\. Expected one of: 'adamw', "
            r"'sgd'\. Did you mean 'adamw'\?",
        ):
            checks.one_of("ADAMV", ["adamw", "sgd"], name="optimizer")

    def test_proposes_nothing_where_nothing_is_close(self):
        with self.assertRaisesRegex(ValueError, r"'adamw'\.$"):
            checks.one_of("zebra", ["adamw"], name="optimizer")

    def test_takes_an_iterator(self):
        self.assertEqual(checks.one_of("b", iter("abc"), name="n"), "b")


class ShareTest(absltest.TestCase):
    def test_takes_nothing_and_not_the_whole(self):
        self.assertEqual(checks.share(0.0, name="n"), 0.0)
        for value in (1.0, -0.1):
            with self.assertRaisesRegex(ValueError, r"`n`.*\[0\.0, 1\.0\)"):
                checks.share(value, name="n")


class InRangeTest(parameterized.TestCase):
    @parameterized.parameters(0.0, 0.5, 1.0, 1)
    def test_includes_both_ends(self, value):
        result = checks.in_range(value, name="n", low=0.0, high=1.0)
        self.assertEqual(result, value)

    @parameterized.parameters(0.0, 1.0)
    def test_excludes_an_end_on_request(self, value):
        with self.assertRaisesRegex(ValueError, r"\(0\.0, 1\.0\)"):
            checks.in_range(
                value,
                name="n",
                low=0.0,
                high=1.0,
                include_low=False,
                include_high=False,
            )

    @parameterized.parameters(-0.1, 1.1, math.nan, math.inf, -math.inf)
    def test_refuses_what_is_outside_or_not_finite(self, value):
        with self.assertRaisesRegex(ValueError, r"`rate`.*\[0\.0, 1\.0\]"):
            checks.in_range(value, name="rate", low=0.0, high=1.0)

    def test_refuses_infinity_without_any_bound(self):
        with self.assertRaises(ValueError):
            checks.in_range(math.inf, name="rate")

    @parameterized.parameters("0.5", None, True, 1j)
    def test_refuses_what_is_no_number(self, value):
        with self.assertRaisesRegex(TypeError, "`rate` must be a number"):
            checks.in_range(value, name="rate")


class IntervalTest(parameterized.TestCase):
    def test_is_given_back_as_a_pair(self):
        self.assertEqual(checks.interval([-1, 1.5], name="x"), (-1, 1.5))

    @parameterized.parameters((1.0,), ((1.0,),), ((0, 1, 2),), (("a", 1),))
    def test_needs_two_numbers(self, value):
        with self.assertRaisesRegex(TypeError, "number"):
            checks.interval(value, name="x")

    @parameterized.parameters(((1, 1),), ((2, 1),), ((0, float("nan")),))
    def test_needs_the_lower_first_and_both_finite(self, value):
        with self.assertRaisesRegex(ValueError, r"x\[1\]"):
            checks.interval(value, name="x")


class IntegerTest(parameterized.TestCase):
    def test_returns_the_number(self):
        self.assertEqual(checks.integer(3, name="epochs", low=3), 3)

    @parameterized.parameters(1.0, "1", None, True)
    def test_refuses_what_is_no_whole_number(self, value):
        with self.assertRaisesRegex(TypeError, "`epochs` must be a whole"):
            checks.integer(value, name="epochs")

    def test_refuses_what_is_too_small(self):
        with self.assertRaisesRegex(ValueError, "Got: 0. Expected at least 1"):
            checks.integer(0, name="epochs", low=1)


class InstanceTest(absltest.TestCase):
    def test_returns_the_value(self):
        self.assertEqual(checks.instance("a", (str, int), name="n"), "a")

    def test_names_the_types_and_what_to_do(self):
        with self.assertRaisesRegex(
            TypeError, r"Got: 1\.5 of type float\. Expected: str or int\. Do x"
        ):
            checks.instance(1.5, (str, int), name="n", hint="Do x.")


if __name__ == "__main__":
    absltest.main()
