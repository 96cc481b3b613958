"""Training with TF Hub modules: frozen parts, statistics, and beginnings."""

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest

import tl_keras
from tl_keras.tuning.phases import Phase

TEXTS = ["a good film", "the very bad film", "good good", "bad film"] * 4
LABELS = np.array([1, 0, 1, 0] * 4)


def images(count=16, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 8, 8, 3)).astype("uint8")


class ImageModuleTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        self.path = modules_for_tests.image_module(f"{folder}/images")
        self.data = tl_keras.data.from_arrays(
            train=(images(), LABELS),
            validation=(images(8, seed=1), LABELS[:8]),
            batch_size=8,
        )

    def model(self):
        return tl_keras.build(
            tl_keras.encoders.load(f"hub:{self.path}"),
            tl_keras.heads.Classifier(num_classes=2),
        )

    def weights(self, model):
        layer = model.get_layer("module_images")
        return {
            part: {weight.name: weight.numpy() for weight in weights}
            for part, weights in layer.parts.items()
        }

    def fit(self, model, phase):
        return tl_keras.fit(model, self.data, phase, verbose=0)

    def test_frozen_parts_keep_weights_and_statistics_to_the_bit(self):
        model = self.model()
        before = self.weights(model)
        result = self.fit(
            model, Phase(name="top", train="last 1", learning_rate=0.1)
        )
        self.assertEqual(result.phases[0].groups, ("block_1", "head"))
        after = self.weights(model)
        for name, value in before["block_0"].items():
            np.testing.assert_array_equal(after["block_0"][name], value)
        moved = {
            name
            for name, value in before["block_1"].items()
            if not np.array_equal(value, after["block_1"][name])
        }
        # A module of which parts train runs in inference mode as a whole.
        self.assertFalse(any("moving" in name for name in moved))
        self.assertIn("net.block_1_conv.kernel", moved)

    def test_a_frozen_module_stays_to_the_bit(self):
        model = self.model()
        before = self.weights(model)
        self.fit(model, Phase(name="head", train="head", learning_rate=0.1))
        after = self.weights(model)
        for part, values in before.items():
            for name, value in values.items():
                np.testing.assert_array_equal(after[part][name], value)

    def test_batch_norm_in_inference_mode_keeps_the_statistics(self):
        model = self.model()
        before = self.weights(model)
        self.fit(model, Phase(name="a", batch_norm="inference"))
        after = self.weights(model)
        for part, values in before.items():
            for name, value in values.items():
                same = np.array_equal(after[part][name], value)
                self.assertEqual(same, "moving" in name, name)

    def test_statistics_are_those_of_the_training_images(self):
        model = self.model()
        # The weights stand still, so that NumPy can follow.
        self.fit(model, Phase(name="a", learning_rate=1e-30, weight_decay=0.0))
        [(mean, variance), _] = model.get_layer(
            "module_images"
        ).moving_statistics
        # By whatever batch size and momentum: over all images.
        kernel = model.get_layer("module_images").weights[0]
        values = tf.nn.conv2d(
            images().astype("float32") / 255, kernel.value, 2, "SAME"
        ).numpy()
        np.testing.assert_allclose(
            mean, values.mean((0, 1, 2)), rtol=1e-3, atol=1e-4
        )
        np.testing.assert_allclose(
            variance, values.var((0, 1, 2)), rtol=1e-3, atol=1e-4
        )

    def test_its_penalty_counts_where_it_trains(self):
        losses = {}
        for train in ("head", "last 1", "all"):
            model = self.model()
            phase = Phase(
                name="a",
                train=train,
                learning_rate=1e-30,
                weight_decay=0.0,
                batch_norm="inference",
            )
            losses[train] = self.fit(model, phase).history[0]["loss"]
        kernel = self.model().get_layer("module_images").weights[0].numpy()
        penalty = 1e-2 * (kernel**2).sum() / 2
        self.assertAlmostEqual(
            losses["all"] - losses["head"], penalty, places=5
        )
        self.assertAlmostEqual(
            losses["last 1"] - losses["head"], penalty, places=5
        )

    def test_the_pull_to_the_start_and_rates_by_part_reach_it(self):
        model = self.model()
        before = self.weights(model)
        self.fit(
            model,
            Phase(
                name="a",
                rate_factors={"block_0": 0.0},
                starting_point_strength=0.1,
                batch_norm="inference",
            ),
        )
        after = self.weights(model)
        for name, value in before["block_0"].items():
            np.testing.assert_array_equal(after["block_0"][name], value)

    def test_mixed_precision_leaves_the_module_in_float32(self):
        model = tl_keras.build(
            tl_keras.encoders.load(f"hub:{self.path}"),
            tl_keras.heads.Classifier(num_classes=2, hidden_units=(4,)),
            dtype_policy="mixed_bfloat16",
        )
        layer = model.get_layer("module_images")
        self.assertEqual(layer.compute_dtype, "float32")
        hidden = model.get_layer("head_hidden1")
        self.assertEqual(hidden.compute_dtype, "bfloat16")
        self.fit(model, Phase(name="a"))

    def test_a_module_that_cannot_train_says_why_before_training(self):
        folder = self.create_tempdir().full_path
        path = modules_for_tests.tf1_module(f"{folder}/tf1")
        model = tl_keras.build(
            tl_keras.encoders.load(f"hub:{path}"),
            tl_keras.heads.Classifier(num_classes=2),
        )
        plan = tl_keras.plans.head_then_top(1, 1)
        with self.assertRaisesRegex(
            ValueError, "format of TensorFlow 1.*linear_probe"
        ):
            tl_keras.fit(model, self.data, plan, verbose=0)
        result = tl_keras.fit(
            model, self.data, tl_keras.plans.linear_probe(1), verbose=0
        )
        self.assertEqual(result.phases[0].groups, ("head",))


class OtherDataTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        module = modules_for_tests.clip_module(f"{folder}/clips")
        rng = np.random.default_rng(0)
        self.clips = rng.normal(size=(8, 240), scale=0.1).astype("float32")
        self.data = self.load(8000)
        encoder = tl_keras.encoders.load(
            f"hub:{module}", input_spec=self.data.input_spec
        )
        head = tl_keras.heads.Classifier(num_classes=2)
        self.model = tl_keras.build(encoder, head)

    def load(self, sample_rate, length=240):
        return tl_keras.data.from_arrays(
            train=(self.clips[:, :length], [0, 1] * 4), sample_rate=sample_rate
        )

    def test_of_the_models_form_trains(self):
        plan = tl_keras.plans.probe_then_full(1, 1)
        tl_keras.fit(self.model, self.data, plan, verbose=0)

    def test_of_another_form_is_refused_with_both(self):
        for other in (
            self.load(16_000),
            self.load(8000, length=200),
            tl_keras.data.from_arrays(train=(images(8), [0, 1] * 4)),
        ):
            with self.assertRaisesRegex(
                ValueError, "takes clips of 0.03 s.*input_spec=data.input_spec"
            ):
                tl_keras.fit(self.model, other, tl_keras.plans.full(1))


class TextModuleTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        self.text = modules_for_tests.text_module(f"{folder}/text")
        self.token = modules_for_tests.token_module(f"{folder}/token")
        self.words = modules_for_tests.preprocessor_module(f"{folder}/words")
        self.data = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS))

    def pair(self):
        return tl_keras.build(
            tl_keras.encoders.load(
                f"hub:{self.token}", preprocessor=self.words
            ),
            tl_keras.heads.Classifier(num_classes=2),
        )

    def fit(self, model, **options):
        phase = Phase(
            name="a",
            epochs=12,
            learning_rate=0.05,
            schedule="constant",
            warmup_epochs=0,
        )
        return tl_keras.fit(
            model, self.data.batch(8), phase, verbose=0, **options
        )

    def test_a_module_of_strings_trains(self):
        model = tl_keras.build(
            tl_keras.encoders.load(f"hub:{self.text}"),
            tl_keras.heads.Classifier(num_classes=2),
        )
        history = self.fit(model).history
        self.assertLess(history[-1]["loss"], 0.5 * history[0]["loss"])
        self.assertEqual(
            tl_keras.evaluate(model, self.data.batch(5)).accuracy, 1.0
        )

    def test_what_reads_strings_runs_ahead_and_gives_the_same(self):
        model = self.pair()
        seen = []

        class Watch(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                seen.extend(self.model.step_inputs)

        history = self.fit(model, callbacks=[Watch()]).history
        # The step gets tokens; the user's model still takes strings.
        self.assertEqual({tensor.dtype for tensor in seen}, {"int32"})
        self.assertLess(history[-1]["loss"], 0.5 * history[0]["loss"])
        self.assertEqual(model.inputs[0].dtype, "string")
        logits = model(tf.constant(TEXTS)).numpy()
        np.testing.assert_array_equal(logits.argmax(1), LABELS)

    def test_callbacks_save_the_users_whole_model(self):
        path = self.create_tempdir().full_path + "/best.keras"
        model = self.pair()
        self.fit(model, callbacks=[keras.callbacks.ModelCheckpoint(path)])
        again = tl_keras.load_model(path)
        np.testing.assert_allclose(
            again(tf.constant(TEXTS)), model(tf.constant(TEXTS)), rtol=1e-6
        )


if __name__ == "__main__":
    absltest.main()
