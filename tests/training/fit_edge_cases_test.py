"""What is easy to get wrong in `fit`, each with the answer that is right."""

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


@keras.saving.register_keras_serializable("tests")
class Block(keras.layers.Layer):
    """A layer with BatchNormalization inside whose call knows no training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras.layers.BatchNormalization()

    def build(self, shape):
        self.norm.build(shape)

    def call(self, inputs):
        return self.norm(inputs)


def images_and_labels(count=24):
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = rng.integers(0, 160, (count, 6, 6, 3))
    images[np.arange(count), :, :, labels] += 60
    return images.astype("float32"), labels


def dataset(count=24, batch_size=8):
    pairs = tf.data.Dataset.from_tensor_slices(images_and_labels(count))
    return pairs.batch(batch_size)


def model_with(*layers, outputs=3, activation=None):
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Rescaling(1 / 255),
            *layers,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(outputs, activation=activation, name="end"),
        ]
    )


def fit(model, plan, data=None, **options):
    options = {"verbose": 0, **options}
    return fitting.fit(model, data or dataset(), plan, **options)


class LayersInsideOfLayersTest(absltest.TestCase):
    def test_rest_when_their_group_is_frozen(self):
        model = model_with(Block(name="block"))
        groups = {"encoder": ["block"], "head": ["end"]}
        fit(model, Phase(name="a", train="head"), groups=groups)
        norm = model.get_layer("block").norm
        np.testing.assert_array_equal(norm.moving_mean, [0, 0, 0])

    def test_train_behind_a_frozen_layer(self):
        model = model_with(keras.layers.Dropout(0.5), Block(name="block"))
        groups = {"encoder": ["block"], "head": ["end"]}
        fit(model, Phase(name="a", train="encoder"), groups=groups)
        norm = model.get_layer("block").norm
        self.assertGreater(np.abs(norm.moving_mean.numpy()).max(), 0.01)

    def test_cannot_be_held_in_inference_mode(self):
        with self.assertRaisesRegex(ValueError, "'block'.*out of reach"):
            fit(
                model_with(Block(name="block")),
                Phase(name="a", batch_norm="inference"),
            )


class LabelsTest(parameterized.TestCase):
    def test_one_output_or_a_sigmoid_has_no_default_loss(self):
        with self.assertRaisesRegex(ValueError, "at least 2.*Pass `loss`"):
            fit(model_with(outputs=1, activation="sigmoid"), Phase(name="a"))
        with self.assertRaisesRegex(ValueError, "ends in a sigmoid"):
            fit(model_with(activation="sigmoid"), Phase(name="a"))
        inner = model_with(activation="sigmoid")
        end = keras.layers.Activation("linear", dtype="float32")
        cast = keras.Model(inner.inputs, end(inner.outputs[0]))
        with self.assertRaisesRegex(ValueError, "ends in a sigmoid"):
            fit(cast, Phase(name="a"))

    def test_a_loss_of_ones_own_takes_labels_of_any_kind(self):
        images, labels = images_and_labels()
        data = tf.data.Dataset.from_tensor_slices((images, labels / 7.0))
        result = fit(
            model_with(outputs=1),
            Phase(name="a"),
            data.batch(8),
            loss="mse",
            metrics=["mae"],
        )
        self.assertIn("mae", result.history[0])

    @parameterized.parameters(0.7, np.nan)
    def test_a_label_that_is_no_number_of_a_class_stops_training(self, label):
        images, labels = images_and_labels()
        labels = labels.astype("float32")
        whole = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
        fit(model_with(), Phase(name="a"), whole)
        labels[5] = label
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "no whole number"
        ):
            fit(model_with(), Phase(name="a"), data)

    def test_names_as_labels_are_refused(self):
        images, labels = images_and_labels()
        names = labels.astype(str)
        data = tf.data.Dataset.from_tensor_slices((images, names)).batch(8)
        with self.assertRaisesRegex(TypeError, "labels.*are strings"):
            fit(model_with(), Phase(name="a"), data)

    @parameterized.parameters(3, -1)
    def test_a_label_out_of_range_stops_training(self, label):
        images, labels = images_and_labels()
        labels[5] = label
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "out of range. Expected 0 to 2"
        ):
            fit(model_with(), Phase(name="a"), data)

    def test_accuracy_by_name_is_right_with_smoothed_labels(self):
        model = model_with()
        result = fit(
            model,
            Phase(name="a", epochs=3, label_smoothing=0.1, learning_rate=0.1),
            validation_data=dataset(),
            metrics=["accuracy"],
        )
        images, labels = images_and_labels()
        hits = np.argmax(model(images), axis=-1) == labels
        self.assertAlmostEqual(result.best_score, hits.mean(), places=6)

    def test_class_weights_of_a_bare_dataset_may_be_whole_numbers(self):
        weights = {0: 1, 1: 2, 2: 3}
        fit(model_with(), Phase(name="a"), class_weight=weights)
        with self.assertRaisesRegex(ValueError, "class_weight"):
            fit(model_with(), Phase(name="a"), class_weight={7: 2.0})
        with self.assertRaisesRegex(ValueError, "class_weight"):
            fit(model_with(), Phase(name="a"), class_weight="ballanced")


class StatisticsTest(absltest.TestCase):
    def model(self):
        return model_with(keras.layers.BatchNormalization(name="norm"))

    def expected_mean(self, count=24):
        return images_and_labels(count)[0].mean(axis=(0, 1, 2)) / 255

    def test_are_restored_with_the_weights_of_the_best_training_score(self):
        model = self.model()
        fit(model, Phase(name="a", epochs=2), monitor="loss")
        norm = model.get_layer("norm")
        np.testing.assert_allclose(
            norm.moving_mean, self.expected_mean(), rtol=1e-4
        )

    def test_weigh_a_small_last_batch_by_its_size(self):
        model = self.model()
        fit(model, Phase(name="a"), dataset(17, 16))
        norm = model.get_layer("norm")
        np.testing.assert_allclose(
            norm.moving_mean, self.expected_mean(17), rtol=1e-4
        )

    def test_stay_whole_when_training_is_interrupted(self):
        class Interrupt(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 1:
                    raise KeyboardInterrupt

        model = self.model()
        with self.assertRaises(KeyboardInterrupt):
            fit(
                model,
                plans.probe_then_full(1, 1),
                groups={"encoder": ["norm"], "head": ["end"]},
                validation_data=dataset(),
                callbacks=[Interrupt()],
            )
        np.testing.assert_array_equal(
            model.get_layer("norm").moving_variance, [1, 1, 1]
        )


class ValidationLossTest(absltest.TestCase):
    def test_has_no_penalties(self):
        def model():
            return model_with(
                keras.layers.Conv2D(
                    3,
                    3,
                    name="conv",
                    kernel_initializer=keras.initializers.HeNormal(0),
                    kernel_regularizer=keras.regularizers.L2(5.0),
                )
            )

        trained = model()
        result = fit(
            trained,
            Phase(name="a", learning_rate=1e-9),
            validation_data=dataset(),
        )
        images, labels = images_and_labels()
        plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.assertAlmostEqual(
            result.history[0]["val_loss"],
            float(plain(labels, trained(images))),
            places=5,
        )
        self.assertGreater(
            result.history[0]["loss"], result.history[0]["val_loss"] + 0.5
        )


class InputsTest(absltest.TestCase):
    def test_of_a_dict_go_by_their_names(self):
        zebra = keras.Input((2,), name="zebra")
        ant = keras.Input((2,), name="ant")
        joined = keras.layers.Concatenate()([zebra, ant])
        end = keras.layers.Dense(2, name="end")
        model = keras.Model([zebra, ant], end(joined))
        rng = np.random.default_rng(0)
        batch = {
            name: rng.normal(size=(4, 2)).astype("float32")
            for name in ("ant", "zebra")
        }
        np.testing.assert_allclose(
            TrainingModel(model, [end])(batch), model(batch), rtol=1e-6
        )

    def test_of_a_dict_go_by_the_keys_that_the_model_was_made_with(self):
        first, second = keras.Input((2,), name="x"), keras.Input((3,), name="y")
        joined = keras.layers.Concatenate()([first, second])
        end = keras.layers.Dense(2, name="end")
        model = keras.Model({"b": first, "a": second}, end(joined))
        batch = {"a": np.ones((4, 3)), "b": np.zeros((4, 2))}
        np.testing.assert_allclose(
            TrainingModel(model, [end])(batch), model(batch), rtol=1e-6
        )

    def test_may_leave_out_a_last_axis_of_one(self):
        inputs = keras.Input((1,))
        end = keras.layers.Dense(2, name="end")
        model = keras.Model(inputs, end(inputs))
        pairs = (np.arange(8.0), np.arange(8) % 2)
        data = tf.data.Dataset.from_tensor_slices(pairs).batch(4)
        fit(model, Phase(name="a"), data)
        np.testing.assert_allclose(
            TrainingModel(model, [end])(np.arange(4.0)),
            model(np.arange(4.0)[:, None]),
            rtol=1e-6,
        )

    def test_keep_their_digits_under_a_global_mixed_policy(self):
        model = model_with()
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            training_model = TrainingModel(model, [model.get_layer("end")])
        finally:
            keras.config.set_dtype_policy(before)
        images = np.full((1, 6, 6, 3), 253.7, "float32")
        np.testing.assert_array_equal(training_model(images), model(images))


class LossScaleTest(absltest.TestCase):
    def test_is_there_for_float16_within_a_nested_model(self):
        inner = keras.Sequential(
            [keras.Input((6, 6, 3)), keras.layers.Conv2D(4, 3)]
        )
        for dtype, expected in (
            ("float32", keras.optimizers.Adam),
            ("mixed_float16", keras.optimizers.LossScaleOptimizer),
        ):
            inner = keras.Sequential(
                [
                    keras.Input((6, 6, 3)),
                    keras.layers.Conv2D(4, 3, dtype=dtype),
                    keras.layers.Activation("linear", dtype="float32"),
                ]
            )
            seen = []

            class Note(keras.callbacks.Callback):
                def on_train_begin(self, logs=None, seen=seen):
                    seen.append(self.model.optimizer)

            fit(model_with(inner), Phase(name="a"), callbacks=[Note()])
            self.assertIsInstance(seen[0], expected)


class RefusedBeforeTrainingTest(parameterized.TestCase):
    @parameterized.parameters(
        (
            Phase(name="b", optimizer_options={"use_ema": True}),
            {"validation_data": dataset()},
            "averages weights",
        ),
        (
            Phase(
                name="b", augmentation=tl_data.Augmentation(flip=True), epochs=1
            ),
            {},
            "bare dataset cannot",
        ),
        (Phase(name="b", patience=2), {}, "no validation data"),
        (
            Phase(name="b", starting_point_strength=0.1),
            {},
            "every group but the last",
        ),
        (
            Phase(name="b", optimizer_options={"learning_rate": 1.0}),
            {},
            "a field of the phase",
        ),
        (
            Phase(name="b"),
            {"monitor": "val_acc", "validation_data": dataset()},
            "Did you mean 'val_accuracy'",
        ),
        (
            Phase(name="b"),
            {"validation_data": dataset().take(0)},
            "`validation_data` is empty",
        ),
        (
            Phase(name="b"),
            {"validation_data": dataset().repeat()},
            "`validation_data` never ends",
        ),
        (
            Phase(name="b"),
            {"data": dataset().unbatch()},
            "is not batched",
        ),
        (
            Phase(name="b"),
            {"data": dataset().map(lambda images, labels: images)},
            "elements of another form",
        ),
    )
    def test_says_why(self, phase, options, words):
        model = model_with()
        before = model.get_weights()
        with self.assertRaisesRegex(ValueError, words):
            fit(model, Plan("p", [Phase(name="a"), phase]), **options)
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_metrics_are_a_list(self):
        with self.assertRaisesRegex(TypeError, "metrics.*Write a list"):
            fit(model_with(), Phase(name="a"), metrics="accuracy")


if __name__ == "__main__":
    absltest.main()
