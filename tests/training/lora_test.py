"""Phases in which the encoder moves by low-rank adapters."""

import os

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import encoders
from tl_keras.training import fit as fitting
from tl_keras.tuning import plans
from tl_keras.tuning.phases import Phase
from tl_keras.tuning.phases import Plan

GROUPS = {"stem": ["conv1", "norm1"], "stage1": ["conv2"], "head": ["end"]}
RANK = 2


def small_model(head_norm=False):
    """Two convolutions, BatchNormalization and Dropout before a head."""

    def start(seed):
        return keras.initializers.HeNormal(seed)

    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Rescaling(1 / 255)(inputs)
    hidden = keras.layers.Conv2D(
        8, 3, name="conv1", kernel_initializer=start(1)
    )(hidden)
    hidden = keras.layers.BatchNormalization(name="norm1")(hidden)
    hidden = keras.layers.Dropout(0.2, name="drop1")(hidden)
    hidden = keras.layers.Conv2D(
        8, 3, activation="relu", name="conv2", kernel_initializer=start(2)
    )(hidden)
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    if head_norm:
        hidden = keras.layers.BatchNormalization(name="norm2")(hidden)
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


def phase(name="lora", **fields):
    fields = {"learning_rate": 0.02, "epochs": 2, "lora_rank": RANK, **fields}
    return Phase(name=name, **fields)


def fit(model, plan, **options):
    options = {"groups": GROUPS, "verbose": 0, **options}
    data = options.pop("data", None) or batches()
    return fitting.fit(model, data, plan, **options)


def weights_of(model):
    return {weight.path: weight.numpy() for weight in model.weights}


def changed(before, model):
    after = weights_of(model)
    return {
        "/".join(path.split("/")[-2:])
        for path in before
        if not np.array_equal(before[path], after[path])
    }


class WhatTrainsTest(parameterized.TestCase):
    def test_of_the_encoder_only_kernels_move(self):
        model = small_model()
        before = weights_of(model)
        fit(model, phase())
        self.assertEqual(
            changed(before, model),
            {"conv1/kernel", "conv2/kernel", "end/kernel", "end/bias"},
        )

    def test_kernels_move_by_the_rank_and_the_heads_at_will(self):
        model = small_model()
        before = weights_of(model)
        fit(model, phase(epochs=4))
        for name, rank in (("conv1", 2), ("conv2", 2), ("end", 3)):
            kernel = model.get_layer(name).kernel
            change = kernel.numpy() - before[kernel.path]
            change = change.reshape(-1, change.shape[-1])
            self.assertEqual(np.linalg.matrix_rank(change, tol=1e-5), rank)

    def test_only_the_groups_that_train_are_adapted(self):
        model = small_model()
        before = weights_of(model)
        fit(model, phase(train="last 1"))
        self.assertEqual(
            changed(before, model), {"conv2/kernel", "end/kernel", "end/bias"}
        )

    def test_the_heads_own_normalisation_trains(self):
        model = small_model(head_norm=True)
        before = weights_of(model)
        groups = {**GROUPS, "head": ["norm2", "end"]}
        fit(model, phase(), groups=groups)
        moved = changed(before, model)
        self.assertContainsSubset({"norm2/moving_mean", "norm2/gamma"}, moved)
        self.assertFalse([name for name in moved if "norm1" in name])

    def test_counts_adapters_and_head(self):
        result = fit(small_model(), Plan("p", [phase("a"), phase("b")]))
        # Rank 2 between 27 and 8, and between 72 and 8; the head is 8 * 3 + 3.
        adapters, head = 2 * (27 + 8) + 2 * (72 + 8), 27
        weights = 27 * 8 + 8 + 4 * 8 + 72 * 8 + 8 + head
        for part in result.phases:
            self.assertEqual(part.trained_parameters, adapters + head)
            self.assertEqual(part.frozen_parameters, weights - head)
        # Each phase has adapters of its own.
        self.assertEqual(result.trained_parameters, 2 * adapters + head)
        self.assertEqual(result.frozen_parameters, weights - head)

    def test_a_group_may_rest_by_its_rate(self):
        model = small_model()
        before = weights_of(model)
        fit(model, phase(rate_factors={"stem": 0.0}))
        self.assertNotIn("conv1/kernel", changed(before, model))

    @parameterized.parameters(
        # Ten percent a step are taken off both factors of the product.
        {"weight_decay": 5.0},
        {"starting_point_strength": 30.0},
        {"encoder_rate_factor": 0.1},
        {"depth_decay": 0.1, "encoder_rate_factor": 0.2},
    )
    def test_stays_nearer_to_the_start_with(self, **fields):
        def distance(**fields):
            model = small_model()
            before = model.get_layer("conv1").kernel.numpy()
            fit(model, phase(epochs=6, optimizer="sgd", **fields))
            after = model.get_layer("conv1").kernel.numpy()
            return np.linalg.norm(after - before)

        plain = distance(weight_decay=0.0)
        self.assertGreater(plain, 0.01)
        self.assertLess(distance(**fields), 0.7 * plain)


class LayersTest(parameterized.TestCase):
    def end(self, hidden, inputs):
        end = keras.layers.Dense(3, name="end")
        return keras.Model(inputs, end(hidden))

    def test_inside_of_a_layer_are_adapted(self):
        inputs = keras.Input((8, 8, 3))
        hidden = keras.layers.Reshape((8, 24))(inputs)
        attention = keras.layers.MultiHeadAttention(2, 12, name="attention")
        hidden = attention(hidden, hidden)
        hidden = keras.layers.GlobalAveragePooling1D()(hidden)
        model = self.end(hidden, inputs)
        before = weights_of(model)
        fit(model, phase(), groups={"encoder": ["attention"], "head": ["end"]})
        self.assertEqual(
            changed(before, model) - {"end/kernel", "end/bias"},
            {f"{n}/kernel" for n in ("query", "key", "value")}
            | {"attention_output/kernel"},
        )

    def test_inside_of_a_nested_model_are_adapted(self):
        inner = small_model()
        base = keras.Model(
            inner.inputs, inner.get_layer("conv2").output, name="base"
        )
        inputs = keras.Input((8, 8, 3))
        hidden = keras.layers.GlobalAveragePooling2D()(base(inputs))
        model = self.end(hidden, inputs)
        before = weights_of(model)
        fit(model, phase(), groups={"encoder": ["base"], "head": ["end"]})
        self.assertEqual(
            changed(before, model),
            {"conv1/kernel", "conv2/kernel", "end/kernel", "end/bias"},
        )

    def test_that_are_called_twice_are_adapted_once(self):
        inputs = keras.Input((8, 8, 3))
        hidden = keras.layers.Flatten()(inputs)
        hidden = keras.layers.Rescaling(1 / 255)(hidden)
        shared = keras.layers.Dense(192, activation="tanh", name="shared")
        model = self.end(shared(shared(hidden)), inputs)
        start = shared.kernel.numpy()
        result = fit(
            model, phase(), groups={"encoder": ["shared"], "head": ["end"]}
        )
        self.assertEqual(
            result.phases[0].trained_parameters,
            RANK * (192 + 192) + 192 * 3 + 3,
        )
        change = shared.kernel.numpy() - start
        self.assertEqual(np.linalg.matrix_rank(change, tol=1e-4), RANK)

    def test_with_normalisation_out_of_reach_are_refused(self):
        class Block(keras.layers.Layer):
            def __init__(self):
                super().__init__(name="block")
                self.conv = keras.layers.Conv2D(8, 3)
                self.norm = keras.layers.BatchNormalization()

            def call(self, inputs):
                return self.norm(self.conv(inputs))

        inputs = keras.Input((8, 8, 3))
        hidden = keras.layers.GlobalAveragePooling2D()(Block()(inputs))
        with self.assertRaisesRegex(ValueError, "'block'.*without `lora_rank`"):
            fit(
                self.end(hidden, inputs),
                phase(),
                groups={"encoder": ["block"], "head": ["end"]},
            )

    def test_frozen_by_hand_stay_frozen(self):
        model = small_model()
        model.get_layer("conv2").trainable = False
        before = weights_of(model)
        fit(model, phase())
        self.assertNotIn("conv2/kernel", changed(before, model))
        self.assertFalse(model.get_layer("conv2").trainable)

    def test_a_modules_kernels_are_adapted(self):
        folder = self.create_tempdir().full_path
        layer = encoders.HubEncoder(
            modules_for_tests.image_module(folder), name="module"
        )
        inputs = keras.Input((8, 8, 3))
        hidden = keras.layers.Rescaling(1 / 255)(inputs)
        model = self.end(layer(hidden), inputs)
        before = {weight.name: weight.numpy() for weight in layer.weights}
        fit(model, phase(), groups={"encoder": ["module"], "head": ["end"]})
        for weight in layer.weights:
            change = weight.numpy() - before[weight.name]
            if weight.name.endswith("kernel"):
                change = change.reshape(-1, change.shape[-1])
                rank = np.linalg.matrix_rank(change, tol=1e-5)
                self.assertEqual(rank, RANK, weight.name)
            else:
                self.assertEqual(np.abs(change).max(), 0.0, weight.name)


class ModelTest(parameterized.TestCase):
    """What is left is an ordinary model, whatever happened."""

    def assert_ordinary(self, model):
        names = [weight.path for weight in small_model().weights]
        self.assertEqual(
            [path.split("/")[-2:] for path in weights_of(model)],
            [path.split("/")[-2:] for path in names],
        )
        for layer in model.layers:
            self.assertTrue(layer.trainable)
            self.assertNotIn("lora_rank", layer.get_config())
            self.assertTrue(all(w.trainable for w in layer.trainable_weights))
        images = examples(6)[0]
        path = os.path.join(self.create_tempdir(), "m.keras")
        tl_keras.save(model, path)
        np.testing.assert_array_equal(
            keras.models.load_model(path)(images), model(images)
        )

    def test_after_the_phase(self):
        model = small_model()
        fit(model, phase())
        self.assert_ordinary(model)

    @parameterized.parameters(KeyboardInterrupt, RuntimeError)
    def test_after_an_interrupt(self, error):
        class Interrupt(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 1:
                    raise error

        model = small_model()
        before = weights_of(model)
        with self.assertRaises(error):
            fit(model, phase(), callbacks=[Interrupt()])
        self.assert_ordinary(model)
        self.assertIn("conv1/kernel", changed(before, model))

    def test_at_every_step_of_the_phase(self):
        class SavedAtEveryStep(keras.callbacks.Callback):
            def __init__(self, folder, ours):
                super().__init__()
                self.path, self.ours = os.path.join(folder, "m.keras"), ours
                self.same = []

            def on_train_batch_end(self, batch, logs=None):
                images = examples(6)[0]
                self.model.save(self.path)
                saved = keras.models.load_model(self.path)(images)
                seen = self.model(images, training=False)
                self.same.append(
                    np.array_equal(saved, self.ours(images))
                    and np.allclose(seen, saved, atol=1e-6)
                )

        model = small_model()
        saved = SavedAtEveryStep(self.create_tempdir().full_path, model)
        fit(model, phase(epochs=1), callbacks=[saved])
        self.assertEqual(saved.same, [True] * 3)

    def test_other_phases_follow_as_if_nothing_had_been(self):
        model = small_model()
        fit(model, Plan("p", [phase("a"), phase("b", lora_rank=1)]))
        before = weights_of(model)
        fit(model, Phase(name="full"))
        self.assertContainsSubset(
            {"conv1/kernel", "conv1/bias", "norm1/gamma", "conv2/bias"},
            changed(before, model),
        )
        self.assert_ordinary(model)

    def test_the_export_answers_alike(self):
        images = np.random.default_rng(0).integers(
            0, 256, (12, 16, 16, 3), "uint8"
        )
        model = tl_keras.build(
            tl_keras.encoders.load("tiny", image_size=16),
            tl_keras.heads.Classifier(num_classes=2),
        )
        data = tl_keras.data.from_arrays(
            train=(images, [0, 1] * 6), validation=False, batch_size=4
        )
        tl_keras.fit(model, data, plans.lora(1, 1, lora_rank=2), verbose=0)
        exported = tl_keras.serving.export(
            model, self.create_tempdir(), check=False
        )
        served = tf.saved_model.load(str(exported)).signatures["pixels"](
            images=tf.constant(images)
        )
        np.testing.assert_allclose(
            served["probabilities"],
            keras.ops.softmax(model(images)),
            rtol=1e-4,
            atol=1e-6,
        )

    def test_adapters_that_a_layer_has_itself_stay_its_own(self):
        model = small_model()
        model.get_layer("conv2").enable_lora(2)
        before = weights_of(model)
        fit(model, Phase(name="a", learning_rate=0.1, epochs=3))
        moved = changed(before, model)
        self.assertIn("conv2/lora_kernel_b", moved)
        self.assertNotIn("conv2/kernel", moved)
        self.assertEqual(model.get_layer("conv2").lora_rank, 2)


class BestEpochTest(absltest.TestCase):
    def loss(self, model):
        images, labels = examples(30, seed=1)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return float(loss(labels, model(images)))

    def fit(self, model, plan):
        return fit(
            model,
            plan,
            validation_data=batches(30, seed=1),
            monitor="val_loss",
        )

    def test_of_the_phase_is_restored(self):
        # At such a rate it gets worse sooner or later.
        model = small_model()
        result = self.fit(
            model, phase(epochs=8, learning_rate=0.3, schedule="constant")
        )
        scores = [row["val_loss"] for row in result.history]
        self.assertLess(min(scores), scores[-1])
        self.assertAlmostEqual(self.loss(model), min(scores), places=5)

    def test_of_an_earlier_phase_is_restored_if_this_one_only_loses(self):
        model = small_model()
        before = weights_of(model)
        result = self.fit(
            model,
            Plan(
                "p",
                [
                    Phase(name="head", train="head", learning_rate=0.01),
                    phase(learning_rate=30.0, optimizer="sgd"),
                ],
            ),
        )
        first, *others = [row["val_loss"] for row in result.history]
        self.assertLess(first, min(others))
        self.assertEqual(changed(before, model), {"end/kernel", "end/bias"})
        self.assertAlmostEqual(self.loss(model), first, places=5)


class PrecisionTest(parameterized.TestCase):
    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_kernels_stay_float32_and_move(self, policy):
        images = np.random.default_rng(0).integers(
            0, 256, (16, 16, 16, 3), "uint8"
        )
        model = tl_keras.build(
            tl_keras.encoders.load("tiny", image_size=16),
            tl_keras.heads.Classifier(num_classes=2),
            dtype_policy=policy,
        )
        before = weights_of(model)
        data = tl_keras.data.from_arrays(
            train=(images, [0, 1] * 8), validation=False, batch_size=4
        )
        result = tl_keras.fit(model, data, phase(), verbose=0)
        moved = [name for name in changed(before, model) if "kernel" in name]
        self.assertGreater(len(moved), 2)
        for value in weights_of(model).values():
            self.assertEqual(value.dtype, np.float32)
            self.assertTrue(np.isfinite(value).all())
        self.assertTrue(np.isfinite(result.history[-1]["loss"]))


class RefusedTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"lora_rank": 50}, r"rank 50 .*conv1/kernel \(3, 3, 3, 8\).*Lower"),
        ({"train": "head"}, r"groups \('head',\).*nothing that trains"),
    )
    def test_a_rank_that_fits_nothing(self, fields, words):
        model = small_model()
        before = weights_of(model)
        plan = Plan("p", [Phase(name="head", train="head"), phase(**fields)])
        with self.assertRaisesRegex(ValueError, f"(?i){words}"):
            fit(model, plan)
        self.assertEmpty(changed(before, model))

    def test_a_model_of_one_group_has_no_encoder(self):
        with self.assertRaisesRegex(ValueError, "every group but the last"):
            fit(small_model(), phase(), groups=None)


if __name__ == "__main__":
    absltest.main()
