"""Every example in a docstring does what it says."""

import doctest
import importlib
import os
import pathlib

from absl.testing import absltest
from absl.testing import parameterized

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "tl_keras"


def modules_with_examples():
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>>" in path.read_text():
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__")


class DocstringsTest(parameterized.TestCase):
    @parameterized.parameters(*modules_with_examples())
    def test_examples_run(self, module):
        # Examples may write files; none may need a folder of its own for it.
        before = os.getcwd()
        os.chdir(self.create_tempdir().full_path)
        self.addCleanup(os.chdir, before)
        failed, run = doctest.testmod(
            importlib.import_module(module),
            optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
        )
        self.assertGreater(run, 0)
        self.assertEqual(failed, 0)


if __name__ == "__main__":
    absltest.main()
