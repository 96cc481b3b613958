"""Imports point one way: to what is less specific."""

import ast
import pathlib

from absl.testing import absltest
from absl.testing import parameterized

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "tl_keras"

# A module may import from the rows above its own and from its own group;
# groups of one row do not import each other.
LAYERS = (
    (
        "backend",
        "caches",
        "checks",
        "differences",
        "keras_internals",
        "lazy",
        "network",
        "whole_files",
    ),
    ("registry", "graph", "input_specs", "resampling"),
    ("cards", "cuts"),
    ("data", "encoders", "heads"),
    ("models", "tuning"),
    ("training",),
    ("auditing", "compression", "evaluation", "interpretation", "serving"),
    ("reports", "boards", "doctor"),
    ("configs",),
    ("workdirs",),
    ("reporting",),
    ("runs",),
    ("audits", "comparisons", "exporting", "inference", "stability"),
    ("corrupting", "explaining"),
    ("cli",),
    ("__main__",),
)
ROW = {group: row for row, groups in enumerate(LAYERS) for group in groups}

# What a command needs before TensorFlow is worth its seconds, and the file
# that alone imports an optional package or one that few parts need.
WITHOUT_TENSORFLOW = (
    "__init__",
    "__main__",
    "backend",
    "checks",
    "cli/audit",
    "cli/cache",
    "cli/common",
    "cli/compare",
    "cli/config_flags",
    "cli/doctor",
    "cli/evaluate",
    "cli/explain",
    "cli/export",
    "cli/finetune",
    "cli/main",
    "cli/predict",
    "cli/report",
    "cli/texts",
    "configs",
    "data/augmentation",
    "differences",
    "lazy",
    "doctor",
    "input_specs",
    "interpretation/requests",
    "registry",
    "training/checkpoint_settings",
    "training/prefix_settings",
    "training/strategy_names",
    "tuning/phases",
    "tuning/plans",
    "tuning/pruning_settings",
    "workdirs",
)


def modules():
    """Path of every module below the package, without its suffix."""
    return sorted(
        path.relative_to(PACKAGE).with_suffix("").as_posix()
        for path in PACKAGE.rglob("*.py")
    )


def group_of(module):
    return module.split("/")[0]


def own_imports(module, tree):
    """Groups of tl_keras that a module imports, anywhere in its code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"{module} has a relative import.")
        if isinstance(node, ast.ImportFrom) and node.module == "tl_keras":
            names = [name.name for name in node.names]
            yield from (name for name in names if name != "__version__")
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            if parts[0] == "tl_keras":
                yield parts[1]
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith("tl_keras."):
                    raise AssertionError(
                        f"{module} imports {name.name} whole. Write "
                        "`from tl_keras... import MODULE`."
                    )
        elif isinstance(node, ast.Attribute):
            # The whole package is there to be asked for its version only.
            whole = isinstance(node.value, ast.Name)
            if whole and node.value.id == "tl_keras":
                if node.attr != "__version__":
                    yield node.attr


def top_level_imports(tree):
    """Top-level packages that are imported when the module is."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


class LayersTest(parameterized.TestCase):
    @parameterized.parameters(*modules())
    def test_imports_point_one_way(self, module):
        group = group_of(module)
        if group == "__init__":
            return  # The package's public names are strings, not imports.
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        for imported in own_imports(module, tree):
            self.assertTrue(
                imported == group or ROW[imported] < ROW[group],
                f"{module} ({group}, row {ROW[group]}) imports {imported} "
                f"(row {ROW[imported]}).",
            )

    @parameterized.parameters(*WITHOUT_TENSORFLOW)
    def test_imports_no_tensorflow_at_the_top(self, module):
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        slow = {"tensorflow", "keras", "sklearn", "matplotlib", "numpy"}
        self.assertEqual(slow & set(top_level_imports(tree)), set())

    def test_every_module_belongs_to_a_layer(self):
        groups = {group_of(module) for module in modules()} - {"__init__"}
        self.assertEqual(groups, set(ROW) & groups)


if __name__ == "__main__":
    absltest.main()
