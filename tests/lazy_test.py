"""Tests of lazy."""

import math
import subprocess
import sys

from absl.testing import absltest

from tl_keras import lazy


class NamesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.public, self.load, self.listed = lazy.names(
            "shapes", {"pi": "math", "math": "math"}
        )

    def test_a_name_is_read_from_its_module(self):
        self.assertEqual(self.load("pi"), math.pi)

    def test_a_name_that_its_module_lacks_stands_for_the_module(self):
        self.assertIs(self.load("math"), math)

    def test_lists_the_names_in_order(self):
        self.assertEqual(self.public, ["math", "pi"])
        self.assertEqual(self.listed(), ["math", "pi"])

    def test_an_unknown_name_is_an_attribute_error_with_the_list(self):
        with self.assertRaisesRegex(AttributeError, "'tau'.*math, pi"):
            self.load("tau")


class PackageTest(absltest.TestCase):
    def test_the_package_and_its_parts_import_without_tensorflow(self):
        program = (
            "import sys, tl_keras, tl_keras.data, tl_keras.encoders;"
            "import tl_keras.evaluation, tl_keras.heads, tl_keras.serving;"
            "import tl_keras.reports, tl_keras.training, tl_keras.configs;"
            "assert tl_keras.plans.full(epochs=2);"
            "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
        )
        shown = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(shown.stdout.strip(), "[]")


if __name__ == "__main__":
    absltest.main()
