"""Several replicas as logical CPU devices, in a process of their own."""

import json
import os
import subprocess
import sys
from unittest import mock

import keras
import processes_for_tests
import tensorflow as tf
from absl.testing import absltest

from tl_keras.training import strategies

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

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (70, 16, 16, 3)).astype("uint8")
images[::2] //= 2
labels = np.arange(70) % 2
test = (images[:5], labels[:5])

full = tl_keras.plans.probe_then_full(
    1, 2, batch_norm="inference", starting_point_strength=0.1
)
lora = tl_keras.plans.lora(1, 2, lora_rank=3, lora_learning_rate=0.02)

def trained(name, plan):
    with tl_keras.strategy(name) as devices:
        data = tl_keras.data.from_arrays(
            # 64 of 70 examples: no batch is cut short, with one device or two.
            train=(images[:64], labels[:64]), validation=test, batch_size=16
        )
        encoder = tl_keras.encoders.load("tiny", image_size=16)
        head = tl_keras.heads.Classifier(num_classes=2)
        model = tl_keras.build(encoder, head)
        result = tl_keras.fit(model, data, plan, verbose=0)
        return model, result, devices.num_replicas_in_sync

_, two, replicas = trained("mirrored", full)
_, one, _ = trained("none", full)
adapted, two_adapted, _ = trained("mirrored", lora)
plain_adapted, one_adapted, _ = trained("none", lora)
plain = tl_keras.build(
    tl_keras.encoders.load("tiny", image_size=16),
    tl_keras.heads.Classifier(num_classes=2),
)
with tl_keras.strategy("mirrored"):
    try:
        tl_keras.fit(
            plain,
            tl_keras.data.from_arrays(train=(images, labels)),
            tl_keras.plans.full(1),
        )
        refused = ""
    except ValueError as error:
        refused = str(error)
with tl_keras.strategy("mirrored"):
    batch_norm = tl_keras.build(
        tl_keras.encoders.load("tiny", image_size=16),
        tl_keras.heads.Classifier(num_classes=2),
    )
# A last batch of one example, and a model's own scope entered again.
ragged = tl_keras.fit(
    batch_norm,
    tl_keras.data.from_arrays(
        train=(images[:65], labels[:65]),
        validation=(images[:33], labels[:33]),
        batch_size=16,
    ),
    tl_keras.plans.full(
        1, clip_norm=0.1, schedule="constant", warmup_epochs=0
    ),
    verbose=0,
)
finite = all(np.isfinite(w).all() for w in batch_norm.get_weights())


def overflown(name, replica):
    # The last loss where one half of a batch overflows in float16.
    inputs = np.random.default_rng(0).normal(size=(32, 8)).astype("float32")
    inputs[np.arange(32) % 8 // 4 == replica] *= 60.0
    with tl_keras.strategy(name):
        keras.utils.set_random_seed(0)
        given = keras.Input((8,))
        hidden = keras.layers.Dense(16, "relu", dtype="mixed_float16")(given)
        outputs = keras.layers.Dense(2, dtype="float32")(hidden)
        data = tf.data.Dataset.from_tensor_slices((inputs, np.arange(32) % 2))
        result = tl_keras.fit(
            keras.Model(given, outputs),
            data.batch(8),
            tl_keras.tuning.Phase(name="a", epochs=3, optimizer="sgd"),
            verbose=0,
        )
        return result.history[-1]["loss"]


print(json.dumps({
    "replicas": replicas,
    "one": one.history,
    "two": two.history,
    "one_adapted": one_adapted.history,
    "two_adapted": two_adapted.history,
    "apart": max(
        float(np.abs(ours - theirs).max())
        for ours, theirs in zip(
            adapted.get_weights(), plain_adapted.get_weights(), strict=True
        )
    ),
    "replicas_apart": max(
        float(np.abs(parts[0] - parts[1]).max())
        for weight in adapted.weights
        for parts in [[part.numpy() for part in weight.value.values]]
    ),
    "refused": refused,
    "ragged": ragged.history,
    "finite": finite,
    "overflown": [
        [overflown(name, replica) for name in ("none", "mirrored")]
        for replica in (0, 1)
    ],
}))
"""


class MirroredTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise AssertionError(done.stderr[-3000:])
        cls.answer = json.loads(done.stdout.splitlines()[-1])

    def test_two_replicas_give_the_losses_of_one_device(self):
        self.assertEqual(self.answer["replicas"], 2)
        for one, two in zip(
            self.answer["one"], self.answer["two"], strict=True
        ):
            self.assertAlmostEqual(one["loss"], two["loss"], places=5)
            self.assertAlmostEqual(one["val_loss"], two["val_loss"], places=3)
            self.assertEqual(one["val_accuracy"], two["val_accuracy"])

    def test_two_replicas_move_adapters_as_one_device_does(self):
        for one, two in zip(
            self.answer["one_adapted"], self.answer["two_adapted"], strict=True
        ):
            self.assertAlmostEqual(one["loss"], two["loss"], places=4)
            self.assertEqual(one["val_accuracy"], two["val_accuracy"])
        self.assertLess(self.answer["apart"], 1e-3)
        # The copies of a weight on both are one and the same.
        self.assertEqual(self.answer["replicas_apart"], 0.0)

    def test_gradients_may_overflow_on_any_replica(self):
        # Keras by itself sees them on the first one alone.
        for one_device, two_replicas in self.answer["overflown"]:
            self.assertAlmostEqual(one_device, two_replicas, delta=0.05)

    def test_a_model_built_outside_is_refused_in_a_sentence(self):
        self.assertRegex(self.answer["refused"], "built outside.*one `with")

    def test_a_ragged_last_batch_leaves_every_weight_finite(self):
        self.assertTrue(self.answer["finite"])
        self.assertLen(self.answer["ragged"], 1)


class StrategyTest(absltest.TestCase):
    def test_one_device_is_no_strategy(self):
        for name in ("none", "auto"):
            with strategies.strategy(name) as devices:
                self.assertEqual(devices.num_replicas_in_sync, 1)
                self.assertIs(devices, tf.distribute.get_strategy())

    def test_several_workers_have_to_be_named_by_the_environment(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("TF_CONFIG", None)
            with self.assertRaisesRegex(ValueError, "TF_CONFIG, which is not"):
                with strategies.strategy("multiworker"):
                    pass

    def test_several_workers_come_before_anything_that_tensorflow_does(self):
        tf.zeros([1])
        (config,) = processes_for_tests.tf_configs(1)
        with mock.patch.dict(os.environ, TF_CONFIG=config):
            with self.assertRaisesRegex(RuntimeError, "came too late"):
                with strategies.strategy("multiworker"):
                    pass

    def test_keras_distribution_is_refused(self):
        devices = keras.distribution.DataParallel(devices=["cpu:0"])
        keras.distribution.set_distribution(devices)
        try:
            for name in strategies.NAMES:
                with self.assertRaisesRegex(ValueError, "Got: DataParallel"):
                    with strategies.strategy(name):
                        pass
        finally:
            keras.distribution.set_distribution(None)

    def test_parameter_servers_are_refused(self):
        servers = mock.create_autospec(
            tf.distribute.ParameterServerStrategy, instance=True
        )
        with mock.patch.object(
            tf.distribute, "get_strategy", return_value=servers
        ):
            with self.assertRaisesRegex(ValueError, "no coordinator"):
                with strategies.scope_of(keras.Sequential()):
                    pass

    def test_an_unknown_name_is_refused_with_the_list(self):
        with self.assertRaisesRegex(ValueError, "Did you mean 'mirrored'"):
            with strategies.strategy("mirored"):
                pass


if __name__ == "__main__":
    absltest.main()
