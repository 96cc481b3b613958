"""The wheel holds exactly what it should."""

import pathlib
import shutil
import subprocess
import sys
import zipfile

from absl.testing import absltest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ("setup.cfg", "setup.py", "README.md", "LICENSE", "tl_keras")


class WheelTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # setuptools builds in place, so it gets a copy.
        copy = pathlib.Path(absltest.get_default_test_tmpdir()) / "wheel"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir(parents=True)
        for name in SOURCES:
            if (ROOT / name).is_dir():
                skipped = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, copy / name, ignore=skipped)
            else:
                shutil.copy(ROOT / name, copy)
        built = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
            + ["--no-build-isolation", "--wheel-dir", copy / "dist", copy],
            capture_output=True,
            text=True,
        )
        if built.returncode:
            raise AssertionError(built.stdout + built.stderr)
        [cls.wheel] = (copy / "dist").glob("*.whl")

    def names(self):
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.namelist()

    def metadata(self):
        with zipfile.ZipFile(self.wheel) as archive:
            [name] = [n for n in self.names() if n.endswith("/METADATA")]
            return archive.read(name).decode()

    def test_holds_the_modules_the_weights_and_nothing_else(self):
        package = [
            path.relative_to(ROOT).as_posix()
            for pattern in (
                *("*.py", "*.h5", "*.cc", "*.json"),
                *("*.jinja", "*.css", "*.js"),
            )
            for path in (ROOT / "tl_keras").rglob(pattern)
        ]
        held = [name for name in self.names() if ".dist-info/" not in name]
        self.assertCountEqual(held, package)
        self.assertIn("tl_keras/encoders/tiny_cifar10.weights.h5", held)

    def test_holds_the_licence(self):
        licences = [n for n in self.names() if n.endswith("/LICENSE")]
        self.assertLen(licences, 1)

    def test_stays_below_three_megabytes(self):
        self.assertLess(self.wheel.stat().st_size, 3_000_000)

    def test_the_version_is_that_of_the_package(self):
        import tl_keras

        self.assertIn(f"-{tl_keras.__version__}-", self.wheel.name)

    def test_names_the_command(self):
        with zipfile.ZipFile(self.wheel) as archive:
            [name] = [n for n in self.names() if "entry_points" in n]
            self.assertIn(
                "tl-keras = tl_keras.cli.main:run", archive.read(name).decode()
            )

    def test_metadata_shows_the_readme_and_the_ranges(self):
        metadata = self.metadata()
        self.assertIn("# tl_keras", metadata)
        for requirement in ("keras<3.16,>=3.12", "tensorflow<2.22,>=2.20"):
            self.assertIn(f"Requires-Dist: {requirement}", metadata)


if __name__ == "__main__":
    absltest.main()
