"""Two replicas train every kind of encoder as one device does."""

import json
import os
import pathlib
import subprocess
import sys

import encoders_for_tests
import pytest
from absl.testing import absltest
from absl.testing import parameterized

# Logical devices must be set up before TensorFlow starts, hence the process.
_SCRIPT = """
import json
import sys
import tempfile
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
import keras
import encoders_for_tests
import tl_keras

def trained(name, strategy):
    folder = tempfile.mkdtemp()
    keras.utils.set_random_seed(0)
    with tl_keras.strategy(strategy) as devices:
        encoder = encoders_for_tests.MAKERS[name](folder)
        model = tl_keras.build(
            encoder, tl_keras.heads.Classifier(num_classes=2)
        )
        inputs = encoders_for_tests.inputs(encoder.input_spec, 16)
        labels = [0, 1] * 8
        data = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(8)
        # BatchNormalization sees a replica's part of a batch.
        plan = tl_keras.plans.full(2, batch_norm="inference")
        result = tl_keras.fit(
            model,
            data,
            plan,
            validation_data=data,
            verbose=0,
            range_probe="off",
        )
        inside = tl_keras.evaluate(model, data).log_loss
    outside = tl_keras.evaluate(model, data).log_loss
    path = tl_keras.save(model, f"{folder}/m.keras")
    reloaded = tl_keras.evaluate(tl_keras.load_model(path), data).log_loss
    return {
        "replicas": devices.num_replicas_in_sync,
        "losses": [row["loss"] for row in result.history],
        "val_losses": [row["val_loss"] for row in result.history],
        "log_losses": [inside, outside, reloaded],
    }

print(json.dumps({
    name: {s: trained(name, s) for s in ("mirrored", "none")}
    for name in sys.argv[1:]
}))
"""


# Images, strings, and layers of plain Keras.
FEW = ("hub_images", "hub_texts", "file_with_card")
OTHERS = tuple(name for name in encoders_for_tests.MAKERS if name not in FEW)


class ReplicasContractTest(parameterized.TestCase):
    @parameterized.parameters(FEW)
    def test_two_replicas_do_as_one_device(self, *names):
        self._check(names)

    # Each takes ten seconds.
    @parameterized.parameters(OTHERS)
    @pytest.mark.slow
    def test_two_replicas_do_as_one_device_with_others(self, *names):
        self._check(names)

    def _check(self, names):
        for name, answers in _answers(names).items():
            two, one = answers["mirrored"], answers["none"]
            self.assertEqual((two["replicas"], one["replicas"]), (2, 1))
            for key in ("losses", "val_losses", "log_losses"):
                with self.subTest(f"{name}: {key} are those of one device"):
                    for a, b in zip(two[key], one[key], strict=True):
                        # Where a gradient is nearly zero, Adam makes much of
                        # rounding.
                        self.assertAlmostEqual(a, b, places=3)
            with self.subTest(f"{name}: in and out of scope, and from a file"):
                inside, outside, reloaded = two["log_losses"]
                self.assertAlmostEqual(inside, outside, places=5)
                self.assertAlmostEqual(reloaded, outside, places=5)


def _answers(names) -> dict:
    """Of each encoder, what was found on two replicas and on one device."""
    tests = pathlib.Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(tests), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *names],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        timeout=900,
    )
    if done.returncode:
        raise AssertionError(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    absltest.main()
