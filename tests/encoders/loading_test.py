"""Tests of encoders by name."""

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import encoders


class LoadTest(parameterized.TestCase):
    def test_names_are_the_forty_applications_and_two_more(self):
        names = encoders.names()
        self.assertLen(names, 42)
        self.assertEqual(names[-2:], ["minilm", "tiny"])

    @parameterized.parameters(("tiny", "tiny"), ("mobilenet", "MobileNet"))
    def test_finds_both_kinds_whatever_the_case(self, name, expected):
        encoder = encoders.load(name.upper(), 32, weights=None)
        self.assertEqual(encoder.name, expected)

    @parameterized.parameters(
        ("MobilNet", "mean 'MobileNet'"),
        ("hbu:path", "prefix of the encoder.*mean 'hub'"),
    )
    def test_refuses_names_that_it_does_not_know(self, name, why):
        with self.assertRaisesRegex(ValueError, why):
            encoders.load(name)

    def test_refuses_something_else_than_a_name(self):
        with self.assertRaisesRegex(TypeError, "Got: 3 of type int"):
            encoders.load(3)

    def test_tiny_refuses_options(self):
        with self.assertRaisesRegex(ValueError, "no options. Got: alpha"):
            encoders.load("tiny", alpha=0.5)


if __name__ == "__main__":
    absltest.main()
