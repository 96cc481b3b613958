"""`tl-keras finetune --strategy=multiworker` by two workers that are real."""

import csv
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
import processes_for_tests
from absl.testing import absltest

import tl_keras

COMMAND = [
    *(sys.executable, "-m", "tl_keras", "finetune"),
    # In batches of 16, whose last one has 13, in 8 steps and 8 more.
    "--set=data.train_examples=61",
    "--set=data.batch_size=16",
    "--set=plan.options.head_epochs=2",
    "--set=plan.options.top_epochs=2",
    # The others make much of rounding.
    "--set=plan.options.optimizer=sgd",
    "--set=plan.options.batch_norm=inference",
    "--set=checkpoints.steps=1",
    "--set=check_export=false",
    "--prefix_cache=never",
]
SECONDS_UNTIL_NOTICED = 60.0
CHECKPOINTS_BEFORE_KILL = 14


def losses(workdir):
    with (workdir / "log.csv").open() as file:
        return [
            [float(row[name]) for name in ("loss", "val_loss")]
            for row in csv.DictReader(file)
        ]


class MultiworkerTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.one, cls.two = (pathlib.Path(folder) / n for n in ("one", "two"))
        command = [*COMMAND, "--strategy=none", f"--workdir={cls.one}"]
        alone = processes_for_tests.start(command, [{}])
        (printed,) = processes_for_tests.finish(alone, 300.0)
        assert alone[0].returncode == 0, printed
        hosts = cls.enterClassContext(processes_for_tests.two_hosts())
        first, second = cls._start(hosts)
        cls._wait_for_checkpoints()
        second.kill()
        began = time.monotonic()
        (cls.survivor,) = processes_for_tests.finish([first], 300.0)
        cls.seconds = time.monotonic() - began
        cls.exit_code = first.returncode
        processes_for_tests.finish([second], 10.0)
        again = cls._start(hosts)
        cls.printed = processes_for_tests.finish(again, 300.0)
        cls.exit_codes = [process.returncode for process in again]

    @classmethod
    def _start(cls, hosts):
        configs = processes_for_tests.tf_configs(2, [host for host, _ in hosts])
        return processes_for_tests.start(
            [*COMMAND, "--strategy=multiworker", f"--workdir={cls.two}"],
            [{"TF_CONFIG": config} for config in configs],
            [prefix for _, prefix in hosts],
        )

    @classmethod
    def _wait_for_checkpoints(cls):
        until = time.monotonic() + 300.0
        while time.monotonic() < until:
            files = (cls.two / "checkpoints").glob("*.checkpoint")
            if any(int(f.stem) >= CHECKPOINTS_BEFORE_KILL for f in files):
                return
            time.sleep(0.005)

    def test_a_dead_worker_ends_the_other_one_in_time_with_a_message(self):
        self.assertLess(self.seconds, SECONDS_UNTIL_NOTICED)
        self.assertEqual(self.exit_code, 1, self.survivor[-3000:])
        self.assertRegex(self.survivor, r"Worker .*:\d+ .* is gone")
        self.assertNotIn("Traceback", self.survivor)

    def test_both_started_again_go_on_and_end_as_one_device_does(self):
        self.assertEqual(self.exit_codes, [0, 0], self.printed[0][-3000:])
        self.assertRegex(self.printed[0], "Going on (in|at|with)")
        np.testing.assert_allclose(
            losses(self.two), losses(self.one), rtol=0.0, atol=1e-6
        )
        weights = [
            tl_keras.load_model(path / "model.keras").get_weights()
            for path in (self.two, self.one)
        ]
        for found, expected in zip(*weights, strict=True):
            np.testing.assert_allclose(found, expected, rtol=0.0, atol=2e-6)
        results = [
            json.loads((path / "results.json").read_text())["test"]
            for path in (self.two, self.one)
        ]
        self.assertEqual(
            results[0]["confusion_matrix"], results[1]["confusion_matrix"]
        )

    def test_the_first_worker_alone_prints_and_writes(self):
        self.assertIn("Test: 359 examples", self.printed[0])
        self.assertNotIn("Test:", self.printed[1])
        self.assertFalse((self.two / "checkpoints").exists())
        self.assertTrue((self.two / "export" / "model" / "1").exists())


if __name__ == "__main__":
    absltest.main()
