"""The page on many machines says what works, as far as that can be tried."""

import ast
import json
import os
import pathlib
import re
import subprocess

import yaml
from absl import flags
from absl.testing import absltest

from tl_keras import configs
from tl_keras.cli import config_flags
from tl_keras.training import cluster

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "examples" / "many_machines.md").read_text()
# Prints what it is given, in place of training.
STAND_INS = {
    "tl-keras": 'echo "$TF_CONFIG" | tr "\\n" " "; echo "$@"; exit ${EXIT:-0}',
    "scontrol": '[ "$1" = show ] && printf "node7\\nnode8\\n" || echo "$@"',
    "srun": (
        "shift; failed=0; for number in 0 1; do "
        'SLURM_PROCID=$number "$@" || failed=$?; done; exit $failed'
    ),
}


def block(language) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def config_of(arguments):
    """The config that a command line of `finetune` describes."""
    own = flags.FlagValues()
    for flag in flags.FLAGS.flags_by_module_dict()[config_flags.__name__]:
        own[flag.name] = flag
    names = {flag.name: field for field, flag in config_flags.FIELDS.items()}
    overrides = []
    for argument in arguments:
        name, value = argument.removeprefix("--").split("=", 1)
        overrides.append(value if name == "set" else f"{names[name]}={value}")
    return configs.load(overrides=overrides)


class ManyMachinesTest(absltest.TestCase):
    def assert_is_the_run(self, config):
        self.assertEqual(config.strategy, "multiworker")
        self.assertEqual(config.data.batch_size, 256)
        self.assertEqual(config.checkpoints.seconds, 300)
        self.assertEqual(config.workdir, "/shared/runs/pictures")

    def test_the_variable_is_read(self):
        found = cluster.read({"TF_CONFIG": block("json")})
        self.assertEqual(found.index, 0)
        self.assertLen(found.addresses, 2)

    def test_the_job_of_kubernetes_gives_a_command_that_loads(self):
        job = yaml.safe_load(block("yaml"))
        self.assertEqual(job["kind"], "TFJob")
        worker = job["spec"]["tfReplicaSpecs"]["Worker"]
        pod = worker["template"]["spec"]
        [container] = pod["containers"]
        self.assertEqual(container["name"], "tensorflow")
        program, command, *arguments = container["command"]
        self.assertEqual((program, command), ("tl-keras", "finetune"))
        config = config_of(arguments)
        self.assert_is_the_run(config)
        # What it reads and writes is on the volume.
        [mount] = container["volumeMounts"]
        self.assertEqual(mount["name"], pod["volumes"][0]["name"])
        for path in (config.workdir, config.data.name.partition(":")[2]):
            self.assertStartsWith(path, mount["mountPath"] + "/")

    def run_the_job_of_slurm(self, **variables):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "job.sh").write_text(block("sh"))
        for name, text in STAND_INS.items():
            (folder / name).write_text(f"#!/bin/bash\n{text}\n")
            (folder / name).chmod(0o755)
        return subprocess.run(
            ["bash", folder / "job.sh"],
            capture_output=True,
            text=True,
            env={
                "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
                "SLURM_JOB_NODELIST": "node[7-8]",
                "SLURM_JOB_ID": "99",
                **variables,
            },
        )

    def test_the_job_of_slurm_gives_each_worker_its_place(self):
        done = self.run_the_job_of_slurm()
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertLen(lines, 2)
        for number, line in enumerate(lines):
            variable, end = json.JSONDecoder().raw_decode(line)
            found = cluster.read({"TF_CONFIG": json.dumps(variable)})
            self.assertEqual(found.addresses, ("node7:2222", "node8:2222"))
            self.assertEqual(found.index, number)
            command, *arguments = line[end:].split()
            self.assertEqual(command, "finetune")
            self.assert_is_the_run(config_of(arguments))

    def test_the_job_of_slurm_queues_again_after_sigterm(self):
        done = self.run_the_job_of_slurm(EXIT="143")
        self.assertEqual(done.returncode, 143)
        self.assertEqual(done.stdout.splitlines()[-1], "requeue 99")

    def test_the_program_of_ray_has_a_config_that_loads(self):
        program = ast.parse(block("python"))
        [settings] = [
            ast.literal_eval(line.value)
            for line in program.body
            if isinstance(line, ast.Assign)
        ]
        self.assert_is_the_run(configs.load(overrides=settings))


if __name__ == "__main__":
    absltest.main()
