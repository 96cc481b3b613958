"""Training on several replicas goes on too, in a process of its own."""

import json
import subprocess
import sys

from absl.testing import absltest

# Logical devices must be set up before TensorFlow starts, hence the process.
_SCRIPT = """
import json
import tempfile
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
import keras
import numpy as np
import tl_keras
from tl_keras.tuning import Phase

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (32, 16, 16, 3)).astype("uint8")
labels = np.arange(32) % 2
folder = tempfile.mkdtemp()

class Stop(keras.callbacks.Callback):
    def __init__(self, left):
        super().__init__()
        self.left = left

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise ZeroDivisionError

def trained(workdir, stop):
    with tl_keras.strategy("mirrored"):
        data = tl_keras.data.from_arrays(
            train=(images, labels),
            validation=(images[:8], labels[:8]),
            batch_size=8,
        )
        model = tl_keras.build(
            tl_keras.encoders.load("tiny", 16),
            tl_keras.heads.Classifier(num_classes=2, dropout=0.3),
        )
        phase = Phase(name="a", epochs=2, learning_rate=0.01)
        result = tl_keras.fit(
            model,
            data,
            phase,
            workdir=workdir,
            callbacks=[Stop(stop)],
            checkpoints=tl_keras.Checkpoints(steps=1),
            verbose=0,
        )
    return model.get_weights(), result

weights, result = trained(None, 100)
try:
    trained(folder, 7)
except ZeroDivisionError:
    pass
again, resumed = trained(folder, 100)
print("FOUND", json.dumps({
    "difference": max(
        float(np.abs(a - b).max()) for a, b in zip(weights, again)
    ),
    "losses": [[row["loss"] for row in one.history]
               for one in (result, resumed)],
}))
"""


class ResumeReplicasTest(absltest.TestCase):
    def test_weights_and_losses_are_those_of_an_unbroken_training(self):
        shown = subprocess.run(
            [sys.executable, "-c", _SCRIPT], capture_output=True, text=True
        )
        self.assertIn("FOUND", shown.stdout, shown.stderr)
        found = json.loads(shown.stdout.split("FOUND")[1])
        self.assertLess(found["difference"], 1e-5)
        for one, other in zip(*found["losses"], strict=True):
            self.assertAlmostEqual(one, other, places=5)


if __name__ == "__main__":
    absltest.main()
