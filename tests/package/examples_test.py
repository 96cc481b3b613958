"""Every example and every config of the examples loads."""

import os
import pathlib
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import configs

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))
CONFIGS = sorted(path.name for path in (EXAMPLES / "configs").glob("*.py"))


class ExamplesTest(parameterized.TestCase):
    @parameterized.parameters(*((name,) for name in CONFIGS))
    def test_config_loads(self, name):
        config = configs.load(str(EXAMPLES / "configs" / name))
        self.assertIsInstance(config, configs.RunConfig)

    @parameterized.parameters(*((name,) for name in SCRIPTS))
    def test_script_shows_its_flags(self, name):
        shown = subprocess.run(
            [sys.executable, EXAMPLES / name, "--help"],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent)},
        )
        self.assertIn("--workdir", shown.stdout)

    @parameterized.parameters(
        *((name,) for name in SCRIPTS),
        *((f"configs/{name}",) for name in CONFIGS),
    )
    def test_the_table_of_results_names_it(self, name):
        table = (EXAMPLES / "README.md").read_text()
        self.assertIn(f"examples/{name}", table)

    def test_there_are_examples(self):
        self.assertIn("cifar10_finetune.py", SCRIPTS)
        self.assertNotEmpty(CONFIGS)


class Cifar10FinetuneTest(absltest.TestCase):
    def test_local_copies_need_no_network(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        prepared = folder / "cifar10" / "3.0.2"
        prepared.mkdir(parents=True)
        (prepared / "dataset_info.json").write_text("{}")
        # Flags are defined once in a process.
        code = (
            "import sys, cifar10_finetune as example; "
            "print(example.what_is_missing(sys.argv[1], 'weights.h5'))"
        )
        path = os.pathsep.join([str(EXAMPLES), str(EXAMPLES.parent)])
        found = subprocess.run(
            [sys.executable, "-c", code, folder],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        self.assertEqual(found.stdout.strip(), "None", found.stderr)


if __name__ == "__main__":
    absltest.main()
