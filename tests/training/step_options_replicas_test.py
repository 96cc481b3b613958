"""Micro-batches and averages on two replicas, in a process of their own."""

import json
import subprocess
import sys

from absl.testing import absltest

# Logical devices must be set up before TensorFlow starts, hence the process.
_SCRIPT = """
import json
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
import keras
import tl_keras
from tl_keras.tuning import Phase

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(32, 6)).astype("float32")
LABELS = np.arange(32) % 3

def network(norm):
    between = [keras.layers.BatchNormalization(name="norm")] if norm else []
    return keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(8, "relu", name="first", kernel_regularizer="l2",
                           kernel_initializer=keras.initializers.HeNormal(0)),
        keras.layers.Dense(8, name="body",
                           kernel_initializer=keras.initializers.HeNormal(1)),
        *between,
        keras.layers.Dropout(0.5 if norm else 0.0, seed=1),
        keras.layers.Dense(3, name="head",
                           kernel_initializer=keras.initializers.HeNormal(2)),
    ])

def trained(strategy, norm=False, **fields):
    with strategy.scope():
        model = network(norm)
        body = ["body", "norm"] if norm else ["body"]
        result = tl_keras.fit(
            model,
            tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(16),
            Phase(name="a", epochs=2, learning_rate=0.05, optimizer="sgd",
                  clip_norm=0.5, **fields),
            validation_data=tf.data.Dataset.from_tensor_slices(
                (INPUTS, LABELS)).batch(16),
            groups={"first": ["first"], "body": body, "head": ["head"]},
            verbose=0,
        )
    return (
        model.get_weights(),
        [[row["loss"], row["val_loss"]] for row in result.history],
        model,
    )

none = tf.distribute.get_strategy()
names = [device.name for device in tf.config.list_logical_devices("CPU")]
two = tf.distribute.MirroredStrategy(names)
one = tf.distribute.MirroredStrategy(names[:1])
CASES = {
    "parts": {"micro_batches": 3},
    "averages": {"weights_average": 0.9, "train": "body"},
    "both_with_adapters": {
        "micro_batches": 2, "weights_average": 0.5, "lora_rank": 2,
    },
    "both_pruned": {
        "micro_batches": 2, "weights_average": 0.5, "pruning": 0.5,
    },
}
found = {}
for name, fields in CASES.items():
    plain = {k: v for k, v in fields.items() if k != "micro_batches"}
    weights, losses, _ = trained(none, **plain)
    for strategy, count in ((one, 1), (two, 2)):
        if count == 1 and name == "both_pruned":
            continue
        others, other_losses, _ = trained(strategy, **fields)
        found[f"{name}, {count} replicas"] = [
            max(float(np.abs(a - b).max()) for a, b in zip(weights, others)),
            float(np.abs(np.subtract(losses, other_losses)).max()),
        ]

# Statistics, which replicas assign together, and random states.
weights, _, model = trained(two, norm=True, micro_batches=2,
                            weights_average=0.5)
apart = max(
    float(np.abs(parts[0] - parts[1]).max())
    for weight in model.weights
    for parts in [[part.numpy() for part in weight.value.values]]
)
try:
    trained(two, optimizer_options={"gradient_accumulation_steps": 2})
    refused = ""
except ValueError as error:
    refused = str(error)
print("FOUND", json.dumps({
    "differences": found,
    "apart": apart,
    "finite": all(bool(np.isfinite(w).all()) for w in weights),
    "refused": refused,
}))
"""


class StepOptionsReplicasTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shown = subprocess.run(
            [sys.executable, "-c", _SCRIPT], capture_output=True, text=True
        )
        if "FOUND" not in shown.stdout:
            raise AssertionError(shown.stderr[-3000:])
        cls.found = json.loads(shown.stdout.split("FOUND")[1])

    def test_equal_one_device_and_one_batch(self):
        self.assertLen(self.found["differences"], 7)
        for name, (weights, losses) in self.found["differences"].items():
            with self.subTest(name):
                self.assertLess(weights, 1e-6)
                self.assertLess(losses, 1e-6)

    def test_leave_the_copies_of_a_weight_alike(self):
        self.assertEqual(self.found["apart"], 0.0)
        self.assertTrue(self.found["finite"])

    def test_the_way_of_keras_is_refused(self):
        self.assertRegex(self.found["refused"], "keras#20582.*micro_batches")


if __name__ == "__main__":
    absltest.main()
