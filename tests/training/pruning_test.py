"""Phases that set the smallest weights to zero, and phases after them."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import compression
from tl_keras.training import fit as fitting
from tl_keras.tuning import pruning_settings
from tl_keras.tuning.phases import Phase
from tl_keras.tuning.phases import Plan

Pruning = pruning_settings.Pruning
GROUPS = {"stem": ["conv1", "norm1"], "stage1": ["conv2"], "head": ["end"]}
KERNELS = ("conv1", "conv2", "end")


def small_model(dropout=0.2):
    """Two convolutions, BatchNormalization and Dropout before a head."""

    def start(seed):
        return keras.initializers.HeNormal(seed)

    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Rescaling(1 / 255)(inputs)
    hidden = keras.layers.Conv2D(
        8, 3, name="conv1", kernel_initializer=start(1)
    )(hidden)
    hidden = keras.layers.BatchNormalization(name="norm1")(hidden)
    hidden = keras.layers.Dropout(dropout, name="drop1")(hidden)
    hidden = keras.layers.Conv2D(
        8, 3, activation="relu", name="conv2", kernel_initializer=start(2)
    )(hidden)
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    end = keras.layers.Dense(3, name="end", kernel_initializer=start(3))
    return keras.Model(inputs, end(hidden))


def examples(count, seed=0):
    """Images whose brightest channel is their class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 160, (count, 8, 8, 3))
    images[np.arange(count), :, :, labels] += 60
    return images.astype("float32"), labels


def batches(count=24, batch_size=8, seed=0):
    return tf.data.Dataset.from_tensor_slices(examples(count, seed)).batch(
        batch_size
    )


def phase(name="sparse", **fields):
    # Three steps an epoch.
    fields = {"learning_rate": 0.02, "epochs": 4, **fields}
    return Phase(name=name, **fields)


def fit(model, plan, **options):
    options = {"groups": GROUPS, "verbose": 0, **options}
    data = options.pop("data", None) or batches()
    return fitting.fit(model, data, plan, **options)


def kernels_of(model):
    return {name: model.get_layer(name).kernel.numpy() for name in KERNELS}


def zeros_of(model):
    return {name: int(np.sum(k == 0)) for name, k in kernels_of(model).items()}


class Recorder(keras.callbacks.Callback):
    """Kernels after each call of some steps."""

    def __init__(self, model):
        super().__init__()
        self._network = model
        self.kernels = []

    def on_train_batch_end(self, batch, logs=None):
        self.kernels.append(kernels_of(self._network))


class ReachesTest(parameterized.TestCase):
    @parameterized.parameters(0.5, 0.3, 0.95)
    def test_the_sparsity_of_each_kernel_to_one_weight(self, sparsity):
        model = small_model()
        result = fit(model, phase(pruning=Pruning(sparsity, every_steps=2)))
        sizes = {"conv1": 216, "conv2": 576, "end": 24}
        expected = {n: round(sparsity * size) for n, size in sizes.items()}
        self.assertEqual(zeros_of(model), expected)
        self.assertAlmostEqual(
            result.phases[0].sparsity, sum(expected.values()) / 816
        )

    def test_the_sparsity_of_all_kernels_together(self):
        model = small_model()
        model.get_layer("conv2").kernel.assign(
            0.1 * model.get_layer("conv2").kernel
        )
        fit(model, phase(pruning=Pruning(0.7, scope="global")))
        zeros = zeros_of(model)
        self.assertEqual(sum(zeros.values()), round(0.7 * 816))
        # The small one gives more than its share.
        self.assertGreater(zeros["conv2"] / 576, zeros["end"] / 24)
        self.assertGreater(zeros["conv2"] / 576, 0.7)

    def test_the_shares_of_the_schedule_step_by_step(self):
        model = small_model()
        recorder = Recorder(model)
        settings = Pruning(0.8, start=0.25, end=0.75, every_steps=2)
        fit(model, phase(pruning=settings), callbacks=[recorder])
        found = [np.sum(k["conv2"] == 0) for k in recorder.kernels]
        # Twelve steps: from the third to the ninth, at 5, 7 and 9.
        after_5 = round(576 * 0.8 * (1 - (4 / 6) ** 3))
        after_7 = round(576 * 0.8 * (1 - (2 / 6) ** 3))
        after_9 = round(576 * 0.8)
        self.assertEqual(
            found,
            [0] * 4 + [after_5] * 2 + [after_7] * 2 + [after_9] * 4,
        )

    def test_what_is_pruned_first_is_the_smallest(self):
        model = small_model()
        before = kernels_of(model)
        # Steps of next to no length; pruned at once, after the first.
        settings = Pruning(0.4, end=0.01)
        fit(
            model,
            phase(
                pruning=settings,
                learning_rate=1e-12,
                schedule="constant",
                weight_decay=0.0,
            ),
        )
        for name, kernel in kernels_of(model).items():
            order = np.argsort(np.abs(before[name]), axis=None, kind="stable")
            count = round(0.4 * order.size)
            np.testing.assert_array_equal(
                np.flatnonzero(kernel == 0), np.sort(order[:count])
            )

    def test_biases_scales_and_frozen_kernels_are_left_alone(self):
        model = small_model()
        conv1 = model.get_layer("conv1")
        conv1.kernel.assign(np.where(conv1.kernel > 0.1, conv1.kernel, 0))
        before = [w.numpy() for w in conv1.weights]
        fit(model, phase(train="stage1", pruning=0.9))
        for value, weight in zip(before, conv1.weights, strict=True):
            np.testing.assert_array_equal(value, weight.numpy())
        model = small_model()
        fit(model, phase(pruning=0.9))
        for layer, names in (("conv2", ["bias"]), ("norm1", ["gamma", "beta"])):
            for name in names:
                value = getattr(model.get_layer(layer), name).numpy()
                self.assertTrue(np.all(value != 0), name)


class StaysZeroTest(parameterized.TestCase):
    @parameterized.parameters(
        {"optimizer": "adamw", "weight_decay": 0.5},
        {"optimizer": "sgd", "weight_decay": 0.01},
        {"optimizer": "sgd", "optimizer_options": {"nesterov": True}},
        {"optimizer": "adam", "starting_point_strength": 1.0},
        {"optimizer": "adam", "optimizer_options": {"use_ema": True}},
        {"optimizer": "ftrl"},
        {
            "optimizer": "adam",
            "optimizer_options": {"gradient_accumulation_steps": 2},
        },
        {"optimizer": "muon"},
    )
    def test_to_the_bit_whatever_the_optimizer(self, **fields):
        model = small_model()
        recorder = Recorder(model)
        fields = {"pruning": Pruning(0.6, end=0.5, every_steps=1), **fields}
        fit(model, phase(**fields), callbacks=[recorder])
        # Six steps prune, six are left.
        self.assertLen(recorder.kernels, 12)
        later = [*recorder.kernels[5:], kernels_of(model)]
        for name in KERNELS:
            first = later[0][name]
            self.assertEqual(np.sum(first == 0), round(0.6 * first.size))
            for kernels in later[1:]:
                bits = kernels[name].view("uint32")[first == 0]
                self.assertFalse(np.any(bits))
                self.assertFalse(np.any(kernels[name][first != 0] == 0))
            # The rest trains on.
            self.assertFalse(np.array_equal(first, later[-1][name]))

    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_in_mixed_precision(self, policy):
        self.addCleanup(
            keras.config.set_dtype_policy, keras.config.dtype_policy()
        )
        keras.config.set_dtype_policy(policy)
        model = small_model()
        fit(model, phase(pruning=0.5), loss=_crossentropy())
        self.assertEqual(
            zeros_of(model), {"conv1": 108, "conv2": 288, "end": 12}
        )

    def test_with_steps_that_the_loss_scale_skips(self):
        self.addCleanup(
            keras.config.set_dtype_policy, keras.config.dtype_policy()
        )
        keras.config.set_dtype_policy("mixed_float16")
        model = small_model()
        # Gradients overflow at the first scale: the optimizer does nothing.
        model.get_layer("end").kernel.assign(
            1e3 * model.get_layer("end").kernel
        )
        done = []

        class Count(keras.callbacks.Callback):
            def on_train_end(self, logs=None):
                optimizer = self.model.optimizer.inner_optimizer
                done.append(int(optimizer.iterations))

        fit(
            model,
            phase(pruning=Pruning(0.5, end=1.0)),
            loss=_crossentropy(),
            callbacks=[Count()],
        )
        self.assertLess(done[0], 12)
        self.assertEqual(
            zeros_of(model), {"conv1": 108, "conv2": 288, "end": 12}
        )


def _crossentropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class TrialTest(absltest.TestCase):
    def test_of_how_to_run_steps_leaves_the_schedule_as_it_was(self):
        kernels = []
        for step_trial in (True, False):
            model = small_model()
            # Six hundred steps, twelve an epoch.
            fit(
                model,
                phase(epochs=50, pruning=Pruning(0.5, every_steps=7)),
                data=batches(count=24, batch_size=2),
                step_trial=step_trial,
            )
            kernels.append(kernels_of(model))
        for name in KERNELS:
            tried, plain = (one[name] for one in kernels)
            self.assertEqual(np.sum(tried == 0), round(0.5 * tried.size))
            np.testing.assert_array_equal(tried == 0, plain == 0)


class BestEpochTest(absltest.TestCase):
    def test_is_one_with_the_final_sparsity(self):
        model = small_model()
        # Without pruning the first phase's model is by far the better.
        plan = Plan(
            "p",
            [
                phase("dense", epochs=8),
                phase("sparse", pruning=Pruning(0.98, end=0.75)),
            ],
        )
        result = fit(model, plan, validation_data=batches(seed=1))
        dense, sparse = result.phases
        self.assertGreater(dense.best_score, sparse.best_score)
        self.assertEqual(zeros_of(model)["conv2"], round(0.98 * 576))
        last = [row["val_accuracy"] for row in result.history[-2:]]
        self.assertEqual(sparse.best_score, max(last))
        self.assertEqual(result.best_score, max(last))

    def test_is_waited_for_with_patience(self):
        model = small_model()
        settings = Pruning(0.5, end=0.8)
        # The rate is too small for a better score.
        result = fit(
            model,
            phase(epochs=10, patience=1, learning_rate=1e-9, pruning=settings),
            validation_data=batches(seed=1),
        )
        # The eighth epoch is the first of the final sparsity, and the one
        # that is to be surpassed.
        self.assertEqual(result.phases[0].epochs, 9)
        self.assertEqual(zeros_of(model)["conv2"], 288)

    def test_an_interrupt_before_it_gives_back_the_earlier_best(self):
        model = small_model()

        class Interrupt(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 1 and np.any(kernels_of(model)["end"] == 0):
                    raise KeyboardInterrupt

        plan = Plan(
            "p",
            [
                phase("dense"),
                phase("sparse", pruning=Pruning(0.5, end=1.0, every_steps=1)),
            ],
        )
        with self.assertRaises(KeyboardInterrupt):
            fit(
                model,
                plan,
                validation_data=batches(seed=1),
                callbacks=[Interrupt()],
            )
        self.assertEqual(zeros_of(model)["end"], 0)


class LaterPhasesTest(parameterized.TestCase):
    def test_keep_the_zeros_and_train_the_rest(self):
        model = small_model()
        recorder = Recorder(model)
        plan = Plan(
            "p",
            [
                phase("sparse", train="stage1", pruning=0.5),
                phase("after", train="all", weight_decay=0.1),
            ],
        )
        result = fit(model, plan, callbacks=[recorder])
        pruned, end = recorder.kernels[11], kernels_of(model)
        for name in ("conv2", "end"):
            zero = pruned[name] == 0
            self.assertEqual(np.sum(zero), zero.size / 2)
            np.testing.assert_array_equal(end[name] == 0, zero)
            self.assertFalse(np.any(end[name][~zero] == pruned[name][~zero]))
        self.assertEqual(np.sum(end["conv1"] == 0), 0)
        self.assertEqual([p.sparsity for p in result.phases], [0.5, 0.5])

    def test_prune_further(self):
        model = small_model()
        recorder = Recorder(model)
        plan = Plan("p", [phase("a", pruning=0.5), phase("b", pruning=0.9)])
        fit(model, plan, callbacks=[recorder])
        zero = recorder.kernels[11]["conv2"] == 0
        for kernels in recorder.kernels[12:]:
            self.assertFalse(np.any(kernels["conv2"][zero]))
        self.assertEqual(zeros_of(model)["conv2"], round(0.9 * 576))

    def test_of_another_fit_keep_zeros_where_they_are_told_to(self):
        model = small_model()
        fit(model, phase(pruning=0.5))
        zero = kernels_of(model)["conv2"] == 0
        result = fit(model, phase(pruning=Pruning(None)))
        np.testing.assert_array_equal(kernels_of(model)["conv2"] == 0, zero)
        self.assertEqual(result.phases[0].sparsity, 0.5)
        result = fit(model, phase())
        self.assertEqual(zeros_of(model)["conv2"], 0)
        self.assertIsNone(result.phases[0].sparsity)

    def test_a_kernel_that_was_pruned_whole_is_not_a_fresh_one(self):
        model = small_model()
        conv2 = model.get_layer("conv2")
        conv2.kernel.assign(1e-6 * conv2.kernel)
        still = {
            "learning_rate": 1e-9,
            "pruning": Pruning(0.75, scope="global"),
        }
        keep = phase("keep", pruning=Pruning(None))
        # 612 of 816 weights, all 576 of this kernel among them.
        fit(model, Plan("p", [phase("prune", **still), keep]))
        self.assertEqual(zeros_of(model)["conv2"], 576)
        # The same phase in a plan without the other does not know of it.
        fit(model, keep)
        self.assertLess(zeros_of(model)["conv2"], 576)

    def test_a_fresh_kernel_of_zeros_trains(self):
        model = small_model()
        end = model.get_layer("end")
        end.kernel.assign(np.zeros((8, 3)))
        fit(model, phase(pruning=Pruning(None)))
        self.assertTrue(np.all(end.kernel.numpy() != 0))

    def test_the_same_fit_again_begins_with_the_zeros_of_then(self):
        model = small_model()
        start = model.get_weights()
        plan = phase(pruning=Pruning(0.5, every_steps=2))
        fit(model, plan)
        first = kernels_of(model)
        model.set_weights(start)
        fit(model, plan)
        for name, kernel in kernels_of(model).items():
            np.testing.assert_array_equal(kernel, first[name])


class PrefixCacheTest(parameterized.TestCase):
    @parameterized.parameters("layer", "global")
    def test_cached_prefix_gives_the_same_zeros(self, scope):
        images, labels = examples(48)
        data = tl_keras.data.from_arrays(
            train=(images.astype("uint8"), labels), batch_size=8
        )
        kernels = []
        for mode in ("never", "always"):
            model = small_model()
            plan = Plan(
                "p",
                [
                    phase(
                        "sparse",
                        train="stage1",
                        pruning=Pruning(0.5, scope=scope),
                    ),
                    phase("after", train="head"),
                ],
            )
            result = fit(
                model, plan, data=data, prefix_cache=mode, range_probe="off"
            )
            for part in result.phases:
                self.assertEqual(part.prefix_cache.used, mode == "always")
            kernels.append(kernels_of(model))
        for name in KERNELS:
            never, always = (one[name] for one in kernels)
            np.testing.assert_array_equal(never == 0, always == 0)
            np.testing.assert_allclose(never, always, rtol=1e-4, atol=1e-6)
        self.assertEqual(sum(np.sum(k == 0) for k in kernels[0].values()), 300)


class DigitsTest(absltest.TestCase):
    def test_half_the_weights_are_enough(self):
        data = tl_keras.data.load("digits", image_size=32)
        models, accuracies = {}, {}
        for name, settings in (("dense", None), ("sparse", 0.5)):
            model = tl_keras.build(
                tl_keras.encoders.load("tiny"),
                tl_keras.heads.Classifier(num_classes=data.num_classes),
            )
            plan = tl_keras.plans.full(3, pruning=settings)
            tl_keras.fit(model, data, plan, verbose=0)
            models[name] = model
            accuracies[name] = tl_keras.evaluate(model, data.test).accuracy
        self.assertGreater(accuracies["dense"], 0.9)
        self.assertGreater(accuracies["sparse"], accuracies["dense"] - 0.03)
        report = compression.sparsity(models["sparse"], models["dense"])
        self.assertAlmostEqual(report.sparsity, 0.5, places=4)
        self.assertLess(report.gzip_bytes, 0.62 * report.dense_gzip_bytes)


# Logical devices must be set up before TensorFlow starts, hence the process.
_SCRIPT = """
import hashlib
import json
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
import numpy as np
import tl_keras
from training import pruning_test

def trained(strategy, scope):
    with tl_keras.strategy(strategy) as devices:
        # Replicas draw their own.
        model = pruning_test.small_model(dropout=0.0)
        settings = pruning_test.Pruning(0.6, every_steps=2, scope=scope)
        plan = pruning_test.Plan("p", [
            pruning_test.phase(
                "sparse",
                pruning=settings,
                # It sees a replica's part of a batch.
                batch_norm="inference",
                # Adam makes much of rounding.
                optimizer="sgd",
            ),
            pruning_test.phase(
                "after", batch_norm="inference", optimizer="sgd"
            ),
        ])
        result = pruning_test.fit(model, plan)
        on_each = [
            [np.flatnonzero(part.numpy() == 0).tolist() for part in
             devices.experimental_local_results(
                model.get_layer(name).kernel.value)]
            for name in pruning_test.KERNELS
        ]
    return {
        "replicas": devices.num_replicas_in_sync,
        "zeros": on_each,
        "sparsity": [phase.sparsity for phase in result.phases],
    }

print(json.dumps({
    scope: {s: trained(s, scope) for s in ("mirrored", "none")}
    for scope in ("layer", "global")
}))
"""


class ReplicasTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tests = pathlib.Path(__file__).resolve().parents[1]
        path = os.pathsep.join([str(tests), *sys.path])
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            timeout=900,
        )
        if done.returncode:
            raise AssertionError(done.stderr[-3000:])
        cls.answers = json.loads(done.stdout.splitlines()[-1])

    @parameterized.parameters("layer", "global")
    def test_two_find_the_masks_of_one(self, scope):
        two, one = (self.answers[scope][s] for s in ("mirrored", "none"))
        self.assertEqual((two["replicas"], one["replicas"]), (2, 1))
        for parts, [whole] in zip(two["zeros"], one["zeros"], strict=True):
            self.assertEqual(parts, [whole, whole])
        # 816 weights, of which 130 + 346 + 14 or 490 are zero.
        self.assertEqual(two["sparsity"], [490 / 816] * 2)


if __name__ == "__main__":
    absltest.main()
