import csv
import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import data as tl_data
from tl_keras.training import fit as fitting
from tl_keras.training.training_model import TrainingModel
from tl_keras.tuning import plans
from tl_keras.tuning.phases import Phase
from tl_keras.tuning.phases import Plan

GROUPS = {
    "stem": ["conv1", "norm1"],
    "stage1": ["conv2", "norm2"],
    "head": ["end"],
}


def small_model(dropout=0.2, momentum=0.9):
    """Two convolutions, each with BatchNormalization and Dropout."""
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
    for number in (1, 2):
        hidden = keras.layers.Conv2D(
            4,
            3,
            name=f"conv{number}",
            kernel_initializer=keras.initializers.HeNormal(number),
        )(hidden)
        hidden = keras.layers.BatchNormalization(
            momentum=momentum, name=f"norm{number}"
        )(hidden)
        hidden = keras.layers.ReLU()(hidden)
        hidden = keras.layers.Dropout(dropout, name=f"drop{number}")(hidden)
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    logits = keras.layers.Dense(
        3, name="end", kernel_initializer=keras.initializers.HeNormal(3)
    )(hidden)
    return keras.Model(inputs, logits)


def examples(count, seed=0):
    """Images whose brightest channel is their class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 160, (count, 8, 8, 3))
    images[np.arange(count), :, :, labels] += 60
    return images.astype("uint8"), labels


def batches(count=24, batch_size=8, seed=0):
    return tf.data.Dataset.from_tensor_slices(examples(count, seed)).batch(
        batch_size
    )


def fit(model, plan, **options):
    options = {"groups": GROUPS, "verbose": 0, **options}
    data = options.pop("data", None) or batches()
    return fitting.fit(model, data, plan, **options)


def weights_by_name(model):
    return {
        f"{layer.name}/{weight.name}": weight.numpy()
        for layer in model.layers
        for weight in layer.weights
    }


class FrozenTest(parameterized.TestCase):
    @parameterized.parameters(
        ("head", {"end"}),
        ("stage1", {"conv2", "norm2", "end"}),
        (("stem",), {"conv1", "norm1"}),
        (("stem", "head"), {"conv1", "norm1", "end"}),
        ("all", {"conv1", "norm1", "conv2", "norm2", "end"}),
    )
    def test_only_the_weights_of_trained_groups_change(self, train, changed):
        model = small_model()
        before = weights_by_name(model)
        fit(model, Phase(name="a", train=train, epochs=2))
        after = weights_by_name(model)
        self.assertEqual(
            {
                name.split("/")[0]
                for name in before
                if not np.array_equal(before[name], after[name])
            },
            changed,
        )

    def test_frozen_layers_are_in_inference_mode(self):
        model = small_model(dropout=0.5)
        images = tf.cast(examples(8)[0], "float32")
        training_model = TrainingModel(model, [model.get_layer("end")])
        np.testing.assert_allclose(
            training_model(images, training=True),
            model(images, training=False),
            atol=1e-6,
        )

    def test_a_frozen_group_between_trained_ones_is_in_inference_mode(self):
        model = small_model(dropout=0.5)
        images = tf.cast(examples(8)[0], "float32")
        seen = {}

        def note(name):
            layer = model.get_layer(name)
            call = layer.call

            def noted(*args, training=None, **kwargs):
                seen[name] = training
                return call(*args, training=training, **kwargs)

            layer.call = noted

        note("drop1")
        note("drop2")
        trained = [
            model.get_layer(name) for name in ("conv1", "norm1", "drop1", "end")
        ]
        TrainingModel(model, trained)(images, training=True)
        self.assertEqual(seen, {"drop1": True, "drop2": False})

    def test_batch_norm_in_inference_mode_is_frozen_with_gamma_and_beta(self):
        model = small_model()
        before = weights_by_name(model)
        fit(model, Phase(name="a", epochs=2, batch_norm="inference"))
        after = weights_by_name(model)
        for name in before:
            same = np.array_equal(before[name], after[name])
            self.assertEqual(same, name.startswith("norm"), name)

    def test_a_layer_frozen_by_hand_stays_frozen(self):
        model = small_model()
        model.get_layer("conv2").trainable = False
        before = model.get_layer("conv2").get_weights()
        fit(model, Phase(name="a", epochs=2))
        after = model.get_layer("conv2").get_weights()
        np.testing.assert_array_equal(before[0], after[0])
        model.trainable = False
        with self.assertRaisesRegex(ValueError, "Nothing trains in phase 'a'"):
            fit(model, Phase(name="a"))

    def test_the_users_model_is_neither_compiled_nor_marked(self):
        model = small_model()
        fit(model, plans.head_then_top(1, 1))
        self.assertFalse(model.compiled)
        self.assertTrue(all(layer.trainable for layer in model.layers))

    def test_layers_inside_of_a_nested_model_freeze_too(self):
        inner = small_model(dropout=0.5)
        base = keras.Model(
            inner.inputs, inner.get_layer("drop2").output, name="base"
        )
        inputs = keras.Input((8, 8, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(base(inputs))
        model = keras.Model(inputs, keras.layers.Dense(3, name="new")(pooled))
        before = weights_by_name(base)
        groups = {
            "stem": ["conv1", "norm1"],
            "stage1": ["conv2", "norm2"],
            "head": ["new"],
        }
        fit(model, Phase(name="a", train="stage1", epochs=2), groups=groups)
        after = weights_by_name(base)
        for name in before:
            same = np.array_equal(before[name], after[name])
            self.assertEqual(same, name.split("/")[0] in groups["stem"], name)


class OracleTest(parameterized.TestCase):
    def test_equals_plain_keras_when_all_groups_train(self):
        ours, theirs = small_model(dropout=0.0), small_model(dropout=0.0)
        phase = Phase(
            name="a",
            epochs=3,
            learning_rate=0.05,
            optimizer="sgd",
            weight_decay=0.0,
            clip_norm=None,
            schedule="constant",
        )
        fit(ours, phase)
        theirs.compile(
            keras.optimizers.SGD(0.05, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        theirs.fit(batches(), epochs=3, verbose=0, shuffle=False)
        for name, weight in weights_by_name(theirs).items():
            if "moving" not in name:
                np.testing.assert_allclose(
                    weights_by_name(ours)[name], weight, atol=1e-5
                )

    def test_equals_plain_keras_with_a_frozen_base(self):
        ours, theirs = small_model(dropout=0.0), small_model(dropout=0.0)
        phase = Phase(name="a", train="head", epochs=3, clip_norm=None)
        fit(ours, phase)
        for layer in theirs.layers[:-1]:
            layer.trainable = False
        optimizer = keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(1e-3, 9), weight_decay=1e-4
        )
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        theirs.compile(
            optimizer,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        theirs.fit(batches(), epochs=3, verbose=0, shuffle=False)
        for ours_, theirs_ in zip(
            ours.get_weights(), theirs.get_weights(), strict=True
        ):
            np.testing.assert_allclose(ours_, theirs_, atol=1e-6)

    @parameterized.parameters(0.9, 0.999)
    def test_batch_norm_statistics_are_those_of_the_training_batches(
        self, momentum
    ):
        model = small_model(dropout=0.2, momentum=momentum)
        fit(
            model,
            Phase(name="a", epochs=2),
            data=batches(24, 8),
            validation_data=batches(9, seed=1),
        )
        images = examples(24)[0].astype("float32") / 127.5 - 1
        inputs = model.get_layer("conv1")(images).numpy()
        # All batches are of one size: the variance over all positions is the
        # mean square minus the square of the mean.
        mean = inputs.mean(axis=(0, 1, 2))
        variance = inputs.var(axis=(0, 1, 2))
        norm = model.get_layer("norm1")
        np.testing.assert_allclose(norm.moving_mean, mean, atol=1e-5)
        np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-4)

    def test_statistics_are_estimated_without_validation_too(self):
        model = small_model(momentum=0.999)
        fit(model, Phase(name="a", epochs=1))
        images = examples(24)[0].astype("float32") / 127.5 - 1
        mean = model.get_layer("conv1")(images).numpy().mean(axis=(0, 1, 2))
        np.testing.assert_allclose(
            model.get_layer("norm1").moving_mean, mean, atol=1e-5
        )

    def test_the_pull_to_the_start_keeps_the_encoder_near_it(self):
        def distance(strength):
            model = small_model()
            before = weights_by_name(model)
            fit(
                model,
                Phase(
                    name="a",
                    epochs=4,
                    learning_rate=0.02,
                    optimizer="sgd",
                    starting_point_strength=strength,
                ),
            )
            after = weights_by_name(model)
            kernel = "conv2/kernel"
            return np.linalg.norm(after[kernel] - before[kernel])

        self.assertLess(distance(10.0), 0.5 * distance(0.0))

    def test_the_pull_is_part_of_the_training_loss(self):
        model = small_model(dropout=0.0)
        kernel = model.get_layer("conv1").kernel
        training_model = TrainingModel(
            model,
            [model.get_layer("conv1")],
            anchored=[kernel],
            starting_point=[kernel.numpy() - 0.5],
            strength=0.1,
        )
        training_model.compile(loss="mse")
        loss = training_model.compute_loss(
            y=np.zeros((2, 1)), y_pred=np.zeros((2, 1)), training=True
        )
        # 3 * 3 * 3 * 4 entries, each 0.5 away.
        self.assertAlmostEqual(float(loss), 0.1 / 2 * 108 * 0.25, places=4)

    def test_class_weights_scale_the_loss_of_a_class(self):
        phase = Phase(name="a", epochs=1, learning_rate=1e-12)
        weights = {0: 0.0, 1: 2.0, 2: 1.0}
        model = small_model(dropout=0.0)
        images, labels = examples(24)
        logits = model(images.astype("float32"), training=True).numpy()
        result = fit(model, phase, data=batches(24, 24), class_weight=weights)
        log_softmax = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        losses = -log_softmax[np.arange(24), labels]
        expected = np.mean(losses * [weights[k] for k in labels])
        self.assertAlmostEqual(result.history[0]["loss"], expected, places=3)


class BestEpochTest(absltest.TestCase):
    def test_ends_with_the_weights_of_the_best_epoch(self):
        model = small_model()
        validation = batches(30, seed=1)
        result = fit(
            model,
            plans.probe_then_full(3, 3),
            validation_data=validation,
            monitor="val_loss",
        )
        scores = [row["val_loss"] for row in result.history]
        self.assertEqual(result.best_score, min(scores))
        images, labels = examples(30, seed=1)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.assertAlmostEqual(
            float(loss(labels, model(images.astype("float32")))),
            min(scores),
            places=5,
        )

    def test_without_validation_the_last_epoch_is_kept(self):
        result = fit(small_model(), Phase(name="a", epochs=2))
        self.assertIsNone(result.monitor)
        self.assertIsNone(result.best_score)

    def test_a_monitor_that_needs_validation_is_refused_without_it(self):
        with self.assertRaisesRegex(ValueError, "no validation data"):
            fit(small_model(), Phase(name="a"), monitor="val_loss")

    def test_patience_ends_a_phase_early(self):
        phase = Phase(
            name="a", train="head", epochs=20, patience=2, learning_rate=1e-9
        )
        result = fit(small_model(), phase, validation_data=batches(9, seed=1))
        # The first epoch is the best; two more without a better score end it.
        self.assertEqual(result.phases[0].epochs, 3)


class RepeatTest(absltest.TestCase):
    def data(self):
        images, labels = examples(60)
        return tl_data.from_arrays(train=(images, labels), batch_size=8, seed=0)

    def plan(self):
        return plans.probe_then_full(
            1, 2, augmentation=tl_data.Augmentation(flip=True), weight_decay=0.1
        )

    def train(self, seed):
        model = small_model(dropout=0.4)
        result = fit(model, self.plan(), data=self.data(), seed=seed)
        return model.get_weights(), result

    def test_equal_seeds_end_bit_equal_and_others_do_not(self):
        first, _ = self.train(seed=3)
        second, _ = self.train(seed=3)
        other, _ = self.train(seed=4)
        for one, two in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, two)
        self.assertFalse(
            all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
        )

    def test_reports_each_phase(self):
        _, result = self.train(seed=0)
        head, full = result.phases
        self.assertEqual((head.name, head.groups), ("head", ("head",)))
        # Dense: 4 * 3 + 3.
        self.assertEqual(head.trained_parameters, 15)
        # Convolutions 3*3*3*4 + 4 and 3*3*4*4 + 4, two gammas and betas of 4,
        # and two pairs of statistics of 4 that are not trained.
        self.assertEqual(full.trained_parameters, 15 + 112 + 148 + 16)
        self.assertEqual(full.frozen_parameters, 16)
        self.assertEqual((head.epochs, full.epochs), (1, 2))
        self.assertEqual(
            [(row["phase"], row["epoch"]) for row in result.history],
            [("head", 1), ("full", 1), ("full", 2)],
        )


class OptionsTest(absltest.TestCase):
    def test_steps_stop_within_an_epoch(self):
        class Count(keras.callbacks.Callback):
            steps = 0

            def on_train_batch_end(self, batch, logs=None):
                self.steps += 1

        for steps, epochs in ((2, 1), (3, 1), (7, 3)):
            count = Count()
            result = fit(
                small_model(), Phase(name="a", steps=steps), callbacks=[count]
            )
            self.assertEqual(count.steps, steps)
            self.assertEqual(result.phases[0].epochs, epochs)

    def test_the_log_has_a_row_an_epoch(self):
        with tempfile.TemporaryDirectory() as folder:
            workdir = os.path.join(folder, "new")
            result = fit(
                small_model(), plans.probe_then_full(1, 2), workdir=workdir
            )
            with open(os.path.join(workdir, "log.csv")) as file:
                rows = list(csv.DictReader(file))
        self.assertEqual(
            [(row["phase"], row["epoch"]) for row in rows],
            [("head", "1"), ("full", "1"), ("full", "2")],
        )
        self.assertEqual(float(rows[2]["loss"]), result.history[2]["loss"])

    def test_callbacks_can_save_the_users_model(self):
        model = small_model()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "last.keras")
            fit(
                model,
                Phase(name="a"),
                callbacks=[keras.callbacks.ModelCheckpoint(path)],
            )
            images = examples(4)[0].astype("float32")
            saved = keras.models.load_model(path)
        self.assertEqual(
            [layer.name for layer in saved.layers],
            [layer.name for layer in model.layers],
        )
        self.assertEqual(saved(images).shape, (4, 3))

    def test_callbacks_can_set_a_constant_rate(self):
        rates = keras.callbacks.LearningRateScheduler(
            lambda epoch: 0.1 / (epoch + 1)
        )
        result = fit(
            small_model(),
            Phase(name="a", epochs=2, schedule="constant"),
            callbacks=[rates],
        )
        np.testing.assert_allclose(
            [row["learning_rate"] for row in result.history], [0.1, 0.05]
        )

    def test_loss_and_metrics_are_those_given(self):
        result = fit(
            small_model(),
            Phase(name="a"),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["sparse_categorical_accuracy"],
        )
        self.assertIn("sparse_categorical_accuracy", result.history[0])

    def test_label_smoothing_raises_the_loss_of_a_sure_model(self):
        def loss(smoothing):
            model = small_model(dropout=0.0)
            phase = Phase(
                name="a", learning_rate=1e-12, label_smoothing=smoothing
            )
            return fit(model, phase, data=batches(24, 24)).history[0]["loss"]

        model = small_model(dropout=0.0)
        logits = model(examples(24)[0].astype("float32"), training=True)
        log_softmax = np.asarray(keras.ops.log_softmax(logits))
        # A share of 0.3 of each label is spread over three classes.
        spread = -0.3 * log_softmax.mean(axis=-1).mean()
        self.assertAlmostEqual(loss(0.3), 0.7 * loss(0.0) + spread, places=3)


class RefusedTest(absltest.TestCase):
    def test_data_of_another_kind(self):
        with self.assertRaisesRegex(TypeError, "from_arrays"):
            fit(small_model(), Phase(name="a"), data=examples(3))

    def test_empty_and_endless_datasets(self):
        with self.assertRaisesRegex(ValueError, "is empty"):
            fit(small_model(), Phase(name="a"), data=batches().take(0))
        with self.assertRaisesRegex(ValueError, "never ends"):
            fit(small_model(), Phase(name="a"), data=batches().repeat())

    def test_augmentation_of_a_bare_dataset(self):
        phase = Phase(name="a", augmentation=tl_data.Augmentation(flip=True))
        with self.assertRaisesRegex(ValueError, "bare dataset cannot"):
            fit(small_model(), phase)

    def test_a_sparse_loss_with_soft_labels(self):
        with self.assertRaisesRegex(ValueError, "SparseCategorical.*class num"):
            fit(
                small_model(),
                Phase(name="a", label_smoothing=0.1),
                loss=keras.losses.SparseCategoricalCrossentropy(),
            )

    def test_another_number_of_classes(self):
        images, labels = examples(40)
        data = tl_data.from_arrays(
            train=(images, labels % 2), class_names=["a", "b"]
        )
        with self.assertRaisesRegex(ValueError, "2 in the data, 3 in the"):
            fit(small_model(), Phase(name="a"), data=data)

    def test_an_unknown_group_before_anything_trains(self):
        model = small_model()
        before = model.get_weights()
        plan = Plan("p", [Phase(name="a"), Phase(name="b", train="stage7")])
        with self.assertRaisesRegex(ValueError, "stage7.*'stage1'"):
            fit(model, plan)
        for one, two in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)

    def test_a_loss_that_is_not_finite_stops_with_good_weights(self):
        model = small_model()
        plan = Plan(
            "p",
            [
                Phase(name="good", train="head"),
                Phase(
                    name="bad",
                    learning_rate=1e30,
                    optimizer="sgd",
                    clip_norm=None,
                    epochs=5,
                ),
            ],
        )
        with self.assertRaisesRegex(FloatingPointError, "'bad'.*Lower"):
            fit(model, plan, validation_data=batches(9))
        for weight in model.get_weights():
            self.assertTrue(np.isfinite(weight).all())

    def test_a_subclassed_model(self):
        class Subclassed(keras.Model):
            def call(self, inputs):
                return inputs

        with self.assertRaisesRegex(TypeError, "Functional"):
            fit(Subclassed(), Phase(name="a"))


if __name__ == "__main__":
    absltest.main()
