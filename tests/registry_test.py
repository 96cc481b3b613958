"""Tests of registry."""

from absl.testing import absltest

from tl_keras import registry


class RegistryTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.shapes = registry.Registry("shape")
        self.shapes.add("Square", lambda side: side * side)
        self.shapes.add("Cube", lambda side: side**3)

    def test_finds_a_name_whatever_its_case(self):
        for name in ("Square", "square", "SQUARE"):
            self.assertEqual(self.shapes.find(name)(3), 9)

    def test_lists_names_as_and_when_they_were_added(self):
        self.assertEqual(self.shapes.names(), ["Square", "Cube"])

    def test_refuses_a_taken_name_whatever_its_case(self):
        with self.assertRaisesRegex(ValueError, "shape named 'cube' already"):
            self.shapes.add("cube", abs)

    def test_an_unknown_name_gets_the_list_and_a_proposal(self):
        with self.assertRaisesRegex(
            ValueError, "Unknown `shape`.*'Square', 'Cube'.*mean 'Cube'"
        ):
            self.shapes.find("cubes")

    def test_refuses_what_is_no_name(self):
        with self.assertRaisesRegex(TypeError, "Expected: str"):
            self.shapes.find(3)


if __name__ == "__main__":
    absltest.main()
