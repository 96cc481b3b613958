"""Under several replicas the prefix cache changes nothing either."""

import json
import os
import subprocess
import sys

from absl.testing import absltest

# Logical devices must be set up before TensorFlow starts, hence the process.
_SCRIPT = """
import json
import tempfile
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
import tl_keras

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (40, 32, 32, 3)).astype("uint8")
labels = rng.integers(0, 3, 40)

def trained(strategy, mode):
    with tl_keras.strategy(strategy) as devices:
        model = tl_keras.build(
            tl_keras.encoders.load("tiny"),
            tl_keras.heads.Classifier(num_classes=3),
        )
        data = tl_keras.data.from_arrays(
            (images[:32], labels[:32]), (images[32:], labels[32:]), batch_size=8
        )
        result = tl_keras.fit(
            model,
            data,
            tl_keras.plans.head_then_top(
                2,
                2,
                augmentation=tl_keras.data.Augmentation(flip=True),
                batch_norm="inference",
            ),
            prefix_cache=tl_keras.PrefixCache(
                mode=mode, folder=tempfile.mkdtemp()
            ),
            range_probe="off",
            verbose=0,
        )
    return {
        "replicas": devices.num_replicas_in_sync,
        "used": [phase.prefix_cache.used for phase in result.phases],
        "losses": [row["loss"] for row in result.history],
        "weights": [float(np.abs(w).sum()) for w in model.get_weights()],
    }

print(json.dumps({
    f"{strategy} {mode}": trained(strategy, mode)
    for strategy in ("mirrored", "none")
    for mode in ("always", "never")
}))
"""


class ReplicasTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=600,
        )
        if done.returncode:
            raise AssertionError(done.stderr[-3000:])
        cls.answers = json.loads(done.stdout.splitlines()[-1])

    def test_cached_equals_uncached_on_two_replicas(self):
        cached = self.answers["mirrored always"]
        uncached = self.answers["mirrored never"]
        self.assertEqual((cached["replicas"], uncached["replicas"]), (2, 2))
        self.assertEqual(cached["used"], [True, True])
        self.assertEqual(uncached["used"], [False, False])
        self._assert_alike(cached, uncached)

    def test_cached_on_two_replicas_equals_one_device(self):
        one = self.answers["none always"]
        self.assertEqual(one["used"], [True, True])
        self._assert_alike(self.answers["mirrored always"], one)

    def _assert_alike(self, one, other):
        for key in ("losses", "weights"):
            for a, b in zip(one[key], other[key], strict=True):
                self.assertAlmostEqual(a / b, 1.0, places=5)


if __name__ == "__main__":
    absltest.main()
