"""What README.md shows works, and its links lead somewhere."""

import os
import pathlib
import re

from absl.testing import absltest

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code_blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


class ReadmeTest(absltest.TestCase):
    def test_the_python_example_runs(self):
        [example] = code_blocks("python")
        lines = [line for line in example.splitlines() if line.strip()]
        self.assertLessEqual(len(lines), 15)
        before = os.getcwd()
        os.chdir(self.create_tempdir().full_path)
        self.addCleanup(os.chdir, before)
        names = {}
        exec(compile(example, "README.md", "exec"), names)
        # A tenth is what guessing reaches.
        self.assertGreater(names["result"].best_score, 0.5)
        self.assertTrue(pathlib.Path("runs/first/model.keras").is_file())
        self.assertTrue(pathlib.Path("serving/first/1").is_dir())

    def test_the_two_commands_are_one_line_each(self):
        for marker in ("first command", "test command"):
            [command] = re.findall(
                rf"<!-- {marker} -->\n```sh\n(.*)\n```", README
            )
            self.assertStartsWith(command, "python3 -m venv ")

    def test_every_file_it_names_is_there(self):
        for name in re.findall(r"\b(?:examples|tests)/[\w./]+\w", README):
            self.assertTrue((ROOT / name).exists(), name)

    def test_ci_runs_the_test_command_of_this_file(self):
        script = (ROOT / ".ci" / "run").read_text()
        self.assertIn("<!-- test command -->", script)


if __name__ == "__main__":
    absltest.main()
