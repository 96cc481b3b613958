"""Tests of the command line, most of them in a process of its own."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import configs
from tl_keras.cli import doctor
from tl_keras.cli import main
from tl_keras.reports import results

# Half a second is the promise on a quiet machine; tests may run beside others.
GENEROUS_SECONDS = 2.5


def tl_keras(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "tl_keras", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )


class AnswersAtOnceTest(parameterized.TestCase):
    @parameterized.parameters(
        (["--help"], 0),
        (["finetune", "--help"], 0),
        (["evaluate", "--help"], 0),
        (["predict", "--help"], 0),
        (["doctor", "--help"], 0),
        (["doctor", "--plan=full"], 2),
        (["doctor", "--check_tpu", "--plan=ful"], 1),
        (["report", "--help"], 0),
        (["report"], 2),
        (["report", "--workdir=x", "--dataset=y"], 2),
        (["cache", "--help"], 0),
        (["audit", "--help"], 0),
        (["audit", "--out=x"], 2),
        (["audit", "--plan=full", "--dataset=digits", "--out=x"], 2),
        (["cache", "--workdir=x"], 2),
        ([], 2),
        (["finetun"], 2),
        (["finetune", "--workdri=x"], 2),
        (["finetune", "--image_size=big"], 2),
        (["finetune", "digits"], 2),
        (["evaluate"], 2),
        (["evaluate", "--workdir=x", "--folds=2", "--splits=2"], 2),
        (["compare", "--help"], 0),
        (["compare", "runs/one"], 2),
        (["predict", "--workdir=x"], 2),
        (["predict", "image.png"], 2),
        (["export", "--help"], 0),
        (["export"], 2),
        (["explain", "--help"], 0),
        (["explain", "--workdir=x"], 2),
        (["explain", "image.png"], 2),
        (["explain", "image.png", "--workdir=x", "--methods=gradcam"], 1),
        (["export", "--check=x", "--workdir=y"], 2),
        (["finetune"], 1),
        (["finetune", "--plan=ful", "--workdir=x"], 1),
        (["finetune", "--set=sead=1", "--workdir=x"], 1),
        (["finetune", "--config=absent.py", "--workdir=x"], 1),
    )
    def test_without_tensorflow(self, arguments, exit_code):
        program = (
            "import sys\n"
            "from tl_keras.cli import main\n"
            "try:\n"
            f"    main.run(['tl-keras', *{arguments!r}])\n"
            "finally:\n"
            "    slow = {'tensorflow', 'keras', 'numpy'} & set(sys.modules)\n"
            "    print('imported:', sorted(slow))\n"
        )
        began = time.monotonic()
        shown = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True
        )
        seconds = time.monotonic() - began
        self.assertIn("imported: []", shown.stdout)
        self.assertEqual(shown.returncode, exit_code, shown.stderr)
        self.assertNotIn("Traceback", shown.stderr)
        self.assertLess(seconds, GENEROUS_SECONDS)


class MessagesTest(parameterized.TestCase):
    def test_the_overview_names_every_command(self):
        shown = tl_keras("--help")
        for command in main.COMMANDS:
            self.assertIn(f"  {command} ", shown.stdout)

    def test_every_command_has_its_module(self):
        folder = pathlib.Path(main.__file__).parent
        modules = {path.stem for path in folder.glob("*.py")}
        self.assertEqual(
            modules,
            {
                *("__init__", "main", "common", "config_flags", "texts"),
                *main.COMMANDS,
            },
        )

    @parameterized.parameters(
        (["finetun"], "Did you mean 'finetune'"),
        (["finetune", "--datset=x"], "Did you mean: dataset"),
        (["finetune", "digits"], r"Got: \['digits'\]. Expected flags only"),
        (["finetune"], "--workdir=runs/first"),
        (["finetune", "--plan=ful", "--workdir=x"], "Did you mean 'full'"),
        (["finetune", "--set=a", "--workdir=x"], "Expected FIELD=VALUE"),
        (["finetune", "--set=sead=1", "--workdir=x"], "mean 'seed'"),
        (["finetune", "--strategy=gpu", "--workdir=x"], "'mirrored'"),
        (["doctor", "--plan=full"], r"Got: \['--plan'\]. Add --check_tpu"),
        (
            ["predict", "a.jpg", "--workdir=x", "--dataset=y"],
            "no flag --dataset",
        ),
    )
    def test_a_mistake_gets_a_sentence(self, arguments, message):
        self.assertRegex(tl_keras(*arguments).stderr, message)

    def test_a_file_that_fails_while_training_is_a_sentence(self):
        import tensorflow as tf

        def fail(number):
            message = tf.strings.join(["b/[2].png", " cannot be decoded."])
            check = tf.debugging.Assert(number < 0, [message])
            with tf.control_dependencies([check]):
                return tf.identity(number)

        with self.assertRaises(tf.errors.InvalidArgumentError) as raised:
            list(tf.data.Dataset.range(2).map(fail))
        self.assertEqual(
            main._sentence(raised.exception), "b/[2].png cannot be decoded."
        )
        self.assertIsNone(main._sentence(RuntimeError("a mistake of ours")))

    def test_debug_shows_the_traceback(self):
        shown = tl_keras("finetune", "--set=a", "--workdir=x", "--debug")
        self.assertIn("Traceback", shown.stderr)
        self.assertEqual(shown.returncode, 1)

    def test_help_lists_own_and_shared_flags(self):
        shown = tl_keras("finetune", "--help").stdout
        for flag in ("--dataset", "--set", "--workdir", "--[no]overwrite"):
            self.assertIn(flag, shown)
        self.assertNotIn("--workdir", tl_keras("doctor", "--help").stdout)


class DoctorTest(absltest.TestCase):
    def test_tells_whether_a_tpu_could_run_a_plan(self):
        shown = tl_keras("doctor", "--check_tpu", "--plan=linear_probe")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("Phase 'head' compiles for XLA", shown.stdout)

    def test_ends_with_1_where_it_could_not(self):
        from tl_keras import runs
        from tl_keras.training import tpu_check

        obstacle = tpu_check.Obstacle("Where", "node", "mine", "no shape")
        found = tpu_check.TpuCheck({"head": (obstacle,)})
        with (
            mock.patch.object(runs, "check_tpu", return_value=found),
            self.assertRaises(SystemExit) as ended,
        ):
            doctor._check_tpu(configs.RunConfig())
        self.assertEqual(ended.exception.code, 1)


class WholeWayTest(absltest.TestCase):
    """Fine-tunes, evaluates and predicts as a user would."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(absltest.get_default_test_tmpdir())
        cls.workdir = cls.folder / "cli_run"
        cls.shown = tl_keras(
            "finetune",
            "--dataset=digits",
            "--plan=linear_probe",
            "--set=data.train_examples=100",
            "--set=plan.options.epochs=1",
            f"--workdir={cls.workdir}",
            "--overwrite",
        )

    def test_finetune_shows_the_table_and_where_things_are(self):
        self.assertEqual(self.shown.returncode, 0, self.shown.stderr)
        self.assertIn("Test: 359 examples, 10 classes", self.shown.stdout)
        self.assertIn(str(self.workdir), self.shown.stdout)

    def test_finetune_refuses_to_replace_a_run_unasked(self):
        shown = tl_keras("finetune", f"--workdir={self.workdir}")
        self.assertEqual(shown.returncode, 1)
        self.assertIn("--overwrite", shown.stderr)

    def test_evaluate_repeats_the_table(self):
        shown = tl_keras("evaluate", f"--workdir={self.workdir}")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        table = self.shown.stdout.split("Test: ")[1].split("\n\nThe model")[0]
        self.assertEqual(shown.stdout.strip(), table.strip())

    def test_scatters_over_folds_and_is_compared(self):
        shown = tl_keras("evaluate", f"--workdir={self.workdir}", "--folds=2")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("2 trainings: 2 folds", shown.stdout)
        self.assertTrue((self.workdir / "folds.png").is_file())
        found = results.read(self.workdir / "results.json")
        self.assertLen(found.cross_validation["trials"], 2)
        self.assertEqual(found.cross_validation["num_examples"], 100)
        other = self.folder / "other"
        shutil.copytree(self.workdir, other, dirs_exist_ok=True)
        compared = self.folder / "compared.json"
        shown = tl_keras("compare", self.workdir, other, f"--json={compared}")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("do not differ beyond noise", shown.stdout)
        self.assertLen(json.loads(compared.read_text())["pairs"], 1)

    def test_predict_takes_flags_after_images_and_writes_a_table(self):
        import tensorflow as tf

        image = self.folder / "seven.png"
        image.write_bytes(
            tf.io.encode_png(tf.zeros([8, 8, 1], tf.uint8)).numpy()
        )
        table = self.folder / "out.csv"
        shown = tl_keras(
            "predict", image, f"--workdir={self.workdir}", f"--csv={table}"
        )
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stdout, r"seven\.png\t\d\t[01]\.\d{4}\n")
        self.assertStartsWith(table.read_text(), "input,class,probability,0,1,")

    def test_export_shows_what_it_wrote_and_a_check_repeats_it(self):
        shown = tl_keras(
            "export", f"--workdir={self.workdir}", "--to=saved_model,onnx"
        )
        self.assertEqual(shown.returncode, 0, shown.stderr)
        version = self.workdir / "export" / "model" / "2"
        self.assertIn(f"{version}: 3 requests, answered alike", shown.stdout)
        self.assertIn("model.onnx", shown.stdout)
        again = tl_keras("export", f"--check={version}")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("without Keras", again.stdout)

    def test_export_words_its_errors(self):
        for flag, message in (
            (f"--check={self.folder}", "no SavedModel"),
            (f"--workdir={self.folder}", "no finished run"),
        ):
            shown = tl_keras("export", flag)
            self.assertEqual(shown.returncode, 1)
            self.assertIn(message, shown.stderr)
            self.assertNotIn("Traceback", shown.stderr)

    def test_doctor_shows_a_page(self):
        shown = tl_keras("doctor", f"--data_dir={self.folder}")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("Encoders that load without a network", shown.stdout)


if __name__ == "__main__":
    absltest.main()
