"""A command that was stopped goes on when it is given again."""

import csv
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from absl.testing import absltest

EPOCHS = 80


def command(workdir, *more):
    return [
        sys.executable,
        "-m",
        "tl_keras",
        "finetune",
        "--dataset=digits",
        "--plan=linear_probe",
        "--set=data.train_examples=100",
        f"--set=plan.options.epochs={EPOCHS}",
        "--set=check_export=false",
        f"--workdir={workdir}",
        *more,
    ]


def shown(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True)


def rows(workdir):
    log = workdir / "log.csv"
    if not log.exists():
        return []
    with log.open() as file:
        return list(csv.DictReader(file))


class StoppedRunTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(absltest.get_default_test_tmpdir())
        cls.workdir = folder / "stopped_run"
        shutil.rmtree(cls.workdir, ignore_errors=True)
        process = subprocess.Popen(
            command(cls.workdir),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while process.poll() is None and len(rows(cls.workdir)) < 2:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, cls.errors = process.communicate()
        cls.code = process.returncode
        cls.other = shown(cls.workdir, "--set=seed=7")
        cls.epochs_then = len(rows(cls.workdir))
        cls.names_then = os.listdir(cls.workdir)
        cls.again = shown(cls.workdir)

    def test_it_ends_as_schedulers_know_it(self):
        self.assertEqual(self.code, 143, self.errors)
        self.assertIn("Start the same again", self.errors)
        self.assertNotIn("Traceback", self.errors)
        self.assertIn("checkpoints", self.names_then)
        self.assertLess(self.epochs_then, EPOCHS)

    def test_another_config_is_refused(self):
        self.assertEqual(self.other.returncode, 1)
        self.assertIn("seed: 0 in it, 7 now", self.other.stderr)

    def test_it_goes_on_and_ends(self):
        self.assertEqual(self.again.returncode, 0, self.again.stderr)
        self.assertRegex(
            self.again.stdout, r"Going on in phase 'head', epoch \d+, step"
        )
        self.assertLen(rows(self.workdir), EPOCHS)
        names = os.listdir(self.workdir)
        self.assertIn("results.json", names)
        self.assertNotIn("checkpoints", names)

    def test_when_it_has_ended_it_is_refused_again(self):
        refused = shown(self.workdir)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("holds a run already", refused.stderr)


if __name__ == "__main__":
    absltest.main()
