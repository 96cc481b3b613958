"""A training that is killed at random moments ends as one that was not.

`TL_KERAS_KILLS=30` kills it thirty times instead of three times.
"""

import csv
import os
import pathlib
import shutil
import subprocess
import sys
import time

import h5py
import killed_for_tests
import numpy as np
from absl.testing import absltest

KILLS = int(os.environ.get("TL_KERAS_KILLS", "3"))
# One checkpoint may still be on its way to the disk when the next is due.
MOST_REPEATED = 2 * killed_for_tests.STEPS_PER_CHECKPOINT
MEASURED = ("seconds", "waiting")


class Training:
    """The program with its files."""

    def __init__(self, folder):
        self.workdir = folder / "workdir"
        self.workdir.mkdir(parents=True)
        self._weights = folder / "model.weights.h5"
        self._steps = folder / "steps.txt"
        self._steps.touch()
        self._environment = os.environ | {
            "TL_KERAS_CACHE": str(folder / "cache"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def start(self):
        return subprocess.Popen(
            [
                sys.executable,
                killed_for_tests.__file__,
                self.workdir,
                self._weights,
                self._steps,
            ],
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_a_step(self, process):
        """Until a step more is noted, or the program has ended."""
        before = len(self.steps())
        while process.poll() is None and len(self.steps()) == before:
            time.sleep(0.01)

    def steps(self):
        return self._steps.read_text().splitlines()

    def weights(self):
        found = {}

        def note(name, value):
            if isinstance(value, h5py.Dataset):
                found[name] = np.array(value)

        with h5py.File(self._weights) as file:
            file.visititems(note)
        return found

    def log(self):
        with (self.workdir / "log.csv").open() as file:
            return [
                {k: v for k, v in row.items() if k not in MEASURED}
                for row in csv.DictReader(file)
            ]


class KilledTrainingTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(absltest.get_default_test_tmpdir()) / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        cls.whole = Training(folder / "whole")
        process = cls.whole.start()
        cls.whole.wait_for_a_step(process)
        began = time.monotonic()
        _, errors = process.communicate()
        cls.seconds = time.monotonic() - began
        assert process.returncode == 0, errors
        cls.killed = Training(folder / "killed")
        # What was chosen by the clock is chosen once.
        choices = cls.whole.workdir / "choices.json"
        shutil.copy(choices, cls.killed.workdir)
        draw = np.random.default_rng(0)
        cls.ends, cls.kills = [], 0
        for kill in range(KILLS):
            process = cls.killed.start()
            if kill % 4 == 3:
                # While it starts, too.
                time.sleep(draw.uniform(0.0, 5.0))
            else:
                cls.killed.wait_for_a_step(process)
                # So that all kills together fall into the training.
                time.sleep(draw.uniform(0.0, 2.0 / KILLS) * cls.seconds)
            cls.kills += process.poll() is None
            process.kill()
            process.communicate()
            cls.ends.append(len(cls.killed.steps()))
            if process.returncode == 0:
                break
        process = cls.killed.start()
        _, errors = process.communicate()
        assert process.returncode == 0, errors

    def test_its_weights_are_equal_to_the_bit(self):
        self.assertGreater(self.kills, 0)
        weights, killed = self.whole.weights(), self.killed.weights()
        self.assertGreater(len(weights), 4)
        self.assertEqual(weights.keys(), killed.keys())
        for name, value in weights.items():
            np.testing.assert_array_equal(value, killed[name], name)

    def test_its_log_is_equal(self):
        self.assertLen(self.whole.log(), 12)
        self.assertEqual(self.whole.log(), self.killed.log())

    def test_its_steps_come_in_order_and_few_come_again(self):
        number = {step: n for n, step in enumerate(self.whole.steps())}
        done = [number[step] for step in self.killed.steps()]
        self.assertEqual(sorted(set(done)), sorted(number.values()))
        last = -1
        for place, step in enumerate(done):
            if place in self.ends:  # The first of another process.
                self.assertBetween(last + 1 - step, 0, MOST_REPEATED)
            else:
                self.assertEqual(step, last + 1)
            last = step

    def test_two_of_its_checkpoints_are_left(self):
        self.assertLen(list((self.killed.workdir / "checkpoints").iterdir()), 2)


if __name__ == "__main__":
    absltest.main()
