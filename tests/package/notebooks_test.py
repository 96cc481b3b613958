"""The notebooks run, on small data that need no network."""

import configparser
import json
import os
import pathlib
import re
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import configs

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOKS = ("cifar10_gpu", "cifar10_tpu")
# In place of the cell that says what to do.
SETTINGS = """
from tl_keras import configs

config = configs.load(
    overrides=[
        "data.name=digits",
        "data.image_size=16",
        "data.train_examples=64",
        "encoder.name=tiny",
        "plan.name=head_then_top",
        "plan.options.head_epochs=1",
        "plan.options.top_epochs=1",
        "plan.options.weights_average=0.9",
        "strategy=none",
        "check_export=false",
        "workdir={name}",
    ]
)
"""


def cells(name) -> list[dict]:
    path = ROOT / "examples" / "notebooks" / f"{name}.ipynb"
    return json.loads(path.read_text())["cells"]


def code(name, tag=None) -> list[str]:
    """The code cells with a tag, or all."""
    return [
        "".join(cell["source"])
        for cell in cells(name)
        if cell["cell_type"] == "code"
        and (tag is None or tag in cell["metadata"].get("tags", ()))
    ]


def program(name) -> str:
    """What Colab would run, with small data, and nothing installed."""
    installing, saying = code(name, "install"), code(name, "parameters")
    return "\n".join(
        SETTINGS.format(name=name) if cell in saying else cell
        for cell in code(name)
        if cell not in installing
    )


class NotebooksTest(parameterized.TestCase):
    def test_run_from_top_to_bottom(self):
        folder = self.create_tempdir().full_path
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(map(program, NOTEBOOKS))],
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        for name in NOTEBOOKS:
            for file in ("model.keras", "results.json", "export/model/1"):
                self.assertTrue((pathlib.Path(folder) / name / file).exists())
        self.assertIn("Phase 'top' compiles for XLA", done.stdout)

    @parameterized.parameters(
        ("cifar10_gpu", "auto", "float32"),
        ("cifar10_tpu", "tpu", "mixed_bfloat16"),
    )
    def test_what_they_say_is_a_config(self, name, strategy, precision):
        [saying] = code(name, "parameters")
        found = {}
        exec(saying, found)
        self.assertIsInstance(found["config"], configs.RunConfig)
        self.assertEqual(found["config"].strategy, strategy)
        self.assertEqual(found["config"].precision, precision)
        self.assertEqual(found["config"].data.name, "cifar10")

    @parameterized.parameters(*NOTEBOOKS)
    def test_outputs_are_stripped(self, name):
        for cell in cells(name):
            if cell["cell_type"] == "code":
                self.assertEmpty(cell["outputs"])
                self.assertIsNone(cell["execution_count"])

    def test_the_one_for_tpus_installs_no_second_tensorflow(self):
        text = "\n".join(code("cifar10_tpu", "install"))
        with_dependencies, alone = [], []
        for line in text.splitlines():
            if line.startswith("%pip install"):
                target = alone if "--no-deps" in line else with_dependencies
                target += re.findall(r'"([A-Za-z][\w.-]*)', line)
        self.assertIn("tensorflow-tpu", with_dependencies)
        # These ask for stock TensorFlow, and so does this project's wheel.
        self.assertContainsSubset(
            {"tf_keras", "tensorflow-hub", "tensorflow-serving-api"}, alone
        )
        self.assertNotIn("tensorflow", [*with_dependencies, *alone])
        # And all else that this project needs is there.
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        needed = {
            re.match(r"[\w.-]+", line)[0]
            for line in setup["options"]["install_requires"].splitlines()
            if line and not line.startswith("#")
        }
        self.assertEqual(needed - {*with_dependencies, *alone}, {"tensorflow"})


if __name__ == "__main__":
    absltest.main()
