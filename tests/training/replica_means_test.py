"""Variables that replicas move apart, brought together before validation."""

import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

_SCRIPT = """
import json
import tempfile
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
import keras
import modules_for_tests
import tl_keras
from tl_keras.training import replica_means

folder = tempfile.mkdtemp()
module = modules_for_tests.image_module(f"{folder}/images")
rng = np.random.default_rng(0)
images = rng.uniform(size=(8, 8, 8, 3)).astype("float32")
# The two halves of a batch are unlike, and so are their statistics.
images[4:] *= 0.1

def parts(variable):
    return [value.numpy().tolist() for value in variable.value.values]

with tl_keras.strategy("mirrored") as strategy:
    layer = tl_keras.encoders.HubEncoder(module)
    [(mean, _), _] = layer.moving_statistics
    batches = strategy.experimental_distribute_values_from_function(
        lambda replica: tf.constant(
            np.split(images, 2)[replica.replica_id_in_sync_group]
        )
    )

    @tf.function
    def step():
        strategy.run(lambda x: layer(x, training=True), (batches,))

    step()
    apart = parts(mean)
    replica_means.AverageOverReplicas([mean], True).on_test_begin()
    together = parts(mean)

with tl_keras.strategy("mirrored"):
    model = tl_keras.build(
        tl_keras.encoders.load(f"hub:{module}"),
        tl_keras.heads.Classifier(num_classes=2),
    )
    data = tf.data.Dataset.from_tensor_slices((255 * images, [0, 1] * 4))
    tl_keras.fit(
        model,
        data.batch(8),
        tl_keras.plans.full(2),
        validation_data=data.batch(8),
        verbose=0,
        range_probe="off",
    )
    fitted = [
        parts(one)
        for pair in model.get_layer("module_images").moving_statistics
        for one in pair
    ]
outside = tl_keras.encoders.HubEncoder(module)
try:
    with tl_keras.strategy("mirrored"):
        keras.Model(i := keras.Input((8, 8, 3)), outside(i))
    refused = ""
except ValueError as error:
    refused = str(error)
print(json.dumps({
    "apart": apart, "together": together, "fitted": fitted, "refused": refused
}))
"""


class ReplicaMeansTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tests = pathlib.Path(__file__).resolve().parents[1]
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            capture_output=True,
            text=True,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join([str(tests), *sys.path])},
            timeout=600,
        )
        if done.returncode:
            raise AssertionError(done.stderr[-2000:])
        cls.answer = json.loads(done.stdout.splitlines()[-1])

    def test_all_replicas_get_the_mean_of_what_each_had(self):
        first, second = self.answer["apart"]
        self.assertNotEqual(first, second)
        for together in self.answer["together"]:
            for a, b, mean in zip(first, second, together, strict=True):
                self.assertAlmostEqual(mean, (a + b) / 2, places=6)

    def test_after_fit_no_replica_differs(self):
        for one, other in self.answer["fitted"]:
            self.assertEqual(one, other)

    def test_a_module_made_outside_of_the_scope_says_so(self):
        self.assertRegex(
            self.answer["refused"], "loaded outside.*one `with tl_keras"
        )


if __name__ == "__main__":
    absltest.main()
