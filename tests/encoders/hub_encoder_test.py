"""A TF Hub module as a layer of Keras 3."""

import os
import shutil

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.encoders import HubEncoder

IMAGES = np.random.default_rng(0).uniform(size=(6, 8, 8, 3)).astype("float32")


class HubEncoderTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enter_context(_temporary_folder())
        cls.images = modules_for_tests.image_module(f"{folder}/images")
        cls.tokens = modules_for_tests.token_module(f"{folder}/tokens")
        cls.clips = modules_for_tests.clip_module(f"{folder}/clips")
        cls.signature = modules_for_tests.signature_module(f"{folder}/sign")
        cls.tf1 = modules_for_tests.tf1_module(f"{folder}/tf1")

    def test_the_modules_variables_are_its_weights_without_a_copy(self):
        layer = HubEncoder(self.images)
        self.assertLen(layer.trainable_weights, 6)
        self.assertLen(layer.non_trainable_weights, 4)
        before = layer(IMAGES).numpy()
        for weight in layer.trainable_weights:
            weight.assign(weight * 0.0)
        # Only the last bias is left: the mean of relu(0).
        np.testing.assert_array_equal(layer(IMAGES), np.zeros((6, 6)))
        self.assertGreater(before.max(), 0.1)

    def test_keeps_the_names_that_the_module_gave(self):
        names = [weight.name for weight in HubEncoder(self.images).weights]
        self.assertIn("net.block_0_conv.kernel", names)

    def test_training_is_passed_and_means_inference_when_frozen(self):
        layer = HubEncoder(self.images)
        still = layer(IMAGES, training=False).numpy()
        moved = layer(IMAGES, training=True).numpy()
        self.assertGreater(np.abs(still - moved).max(), 1e-3)
        frozen = HubEncoder(self.images, trainable=False)
        np.testing.assert_array_equal(frozen(IMAGES, training=True), still)
        self.assertLen(_model(frozen).trainable_weights, 2)
        frozen.trainable = True
        self.assertLen(_model(frozen).trainable_weights, 8)
        layer = HubEncoder(self.images)
        layer.trainable = False
        self.assertEmpty(layer.trainable_weights)
        np.testing.assert_array_equal(layer(IMAGES, training=True), still)

    def test_the_penalties_are_losses_while_it_trains(self):
        layer = HubEncoder(self.images)
        model = _model(layer)
        model(IMAGES, training=True)
        kernel = layer.weights[0].numpy()
        self.assertAlmostEqual(
            float(model.losses[0]), 1e-2 * (kernel**2).sum() / 2, places=6
        )
        layer.trainable = False
        model(IMAGES, training=True)
        self.assertEmpty(model.losses)

    def test_arguments_reach_the_module(self):
        layer = HubEncoder(self.images, arguments={"batch_norm_momentum": 0.5})
        [(mean, _), _] = layer.moving_statistics
        layer(IMAGES, training=True)
        at_half = mean.numpy()
        other = HubEncoder(self.images)
        [(mean, _), _] = other.moving_statistics
        start = mean.numpy()
        other(IMAGES, training=True)
        # By its own momentum of 0.9 it goes a fifth of the way.
        np.testing.assert_allclose(
            (mean.numpy() - start) * 5, at_half - start, rtol=1e-4
        )

    def test_training_is_no_argument_of_the_users(self):
        with self.assertRaisesRegex(ValueError, "passes by itself"):
            HubEncoder(self.images, arguments={"training": True})
        with self.assertRaisesRegex(TypeError, "plain values"):
            HubEncoder(self.images, arguments={"seed": np.ones(2)})

    def test_a_dict_of_outputs_is_given_whole_or_by_key(self):
        tokens = {
            key: tf.ones((2, 3), tf.int32)
            for key in modules_for_tests.TOKEN_KEYS
        }
        whole = HubEncoder(self.tokens)(tokens)
        self.assertCountEqual(whole, ["pooled_output", "sequence_output"])
        pooled = HubEncoder(self.tokens, output_key="pooled_output")(tokens)
        np.testing.assert_array_equal(pooled, whole["pooled_output"])
        layer = HubEncoder(self.tokens, output_key="poled_output")
        with self.assertRaisesRegex(ValueError, "mean 'pooled_output'"):
            layer(tokens)
        with self.assertRaisesRegex(ValueError, "has one output"):
            HubEncoder(self.images, output_key="pooled")(IMAGES)

    def test_a_module_of_one_example_is_called_for_each(self):
        layer = HubEncoder(self.clips, output_key=1, per_example=True)
        clips = np.random.default_rng(0).normal(size=(3, 400))
        batch = layer(clips.astype("float32")).numpy()
        self.assertEqual(batch.shape, (3, 3, 7))
        alone = tf.saved_model.load(self.clips)(
            tf.constant(clips[1], "float32")
        )
        np.testing.assert_allclose(batch[1], alone[1], rtol=1e-6)
        symbolic = layer(keras.Input((400,)))
        self.assertEqual(symbolic.shape, (None, 3, 7))

    def module_with(self, name, **signatures):
        """A module whose `__call__` was traced as told."""

        class Own(tf.Module):
            @tf.function
            def __call__(self, images, training=None):
                mean = tf.reduce_mean(images, [1, 2])
                return mean + 1.0 if training else mean

        module, spec = Own(), tf.TensorSpec([None, 4, 4, 3])
        module.__call__.get_concrete_function(spec, **signatures)
        folder = self.create_tempdir(name).full_path
        tf.saved_model.save(module, folder, signatures={})
        return folder

    def test_training_that_was_left_out_is_left_out(self):
        layer = HubEncoder(self.module_with("default"))
        images = np.ones((1, 4, 4, 3), "float32")
        np.testing.assert_array_equal(layer(images, training=True), [[1.0] * 3])

    def test_a_module_for_training_alone_is_refused(self):
        folder = self.module_with("only", training=True)
        with self.assertRaisesRegex(ValueError, "`training=True` alone"):
            HubEncoder(folder)

    def test_a_call_of_no_tensor_is_no_call(self):
        class Own(tf.Module):
            @tf.function(input_signature=[])
            def __call__(self):
                return tf.constant(1.0)

        folder = self.create_tempdir().full_path
        tf.saved_model.save(Own(), folder, signatures={})
        with self.assertRaisesRegex(ValueError, "cannot be called"):
            HubEncoder(folder)

    def test_inputs_of_another_form_are_refused_with_both_forms(self):
        with self.assertRaisesRegex(
            ValueError, r"\(6, 9, 9, 3\).*Expected: float32 \(None, 8, 8, 3\)"
        ):
            HubEncoder(self.images)(np.zeros((6, 9, 9, 3), "float32"))

    @parameterized.parameters(
        ("signature", "by its signature 'serving_default'"),
        ("tf1", "format of TensorFlow 1"),
    )
    def test_what_cannot_train_says_why(self, module, why):
        path = getattr(self, module)
        layer = HubEncoder(path)
        self.assertFalse(layer.trainable)
        self.assertLen(layer.non_trainable_weights, 1)
        self.assertRegex(layer.frozen_because, why)
        kernel = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
        np.testing.assert_allclose(
            layer(IMAGES), IMAGES.mean((1, 2)) @ kernel, rtol=1e-5
        )
        with self.assertRaisesRegex(ValueError, why):
            layer.trainable = True
        with self.assertRaisesRegex(ValueError, why):
            HubEncoder(path, trainable=True)

    def test_an_unknown_signature_is_refused_with_the_list(self):
        with self.assertRaisesRegex(ValueError, "mean 'serving_default'"):
            HubEncoder(self.signature, signature="serving_defalt")

    def test_a_copy_has_variables_of_its_own_and_the_same_values(self):
        model = _model(HubEncoder(self.images, name="module"))
        model.get_layer("module").weights[0].assign(
            model.get_layer("module").weights[0] + 1.0
        )
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy(IMAGES), model(IMAGES))
        copy.get_layer("module").weights[0].assign(
            copy.get_layer("module").weights[0] * 0.0
        )
        self.assertGreater(np.abs(copy(IMAGES) - model(IMAGES)).max(), 0.1)

    def test_stays_in_float32_under_a_mixed_policy(self):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            layer = HubEncoder(self.images)
            hidden = keras.layers.Dense(3)
        finally:
            keras.config.set_dtype_policy(before)
        self.assertEqual(layer.weights[0].dtype, "float32")
        features = layer(IMAGES)
        self.assertEqual(features.dtype, tf.float32)
        self.assertEqual(hidden(features).dtype, tf.bfloat16)
        exact = HubEncoder(self.images)(IMAGES)
        np.testing.assert_array_equal(features, exact)

    def test_takes_what_a_layer_in_lower_precision_gives(self):
        features = HubEncoder(self.images)(tf.cast(IMAGES, tf.bfloat16))
        self.assertEqual(features.dtype, tf.float32)

    def test_runs_under_xla_in_both_modes(self):
        layer = HubEncoder(self.images)
        for training in (False, True):
            compiled = tf.function(
                lambda x, mode=training: layer(x, training=mode),
                jit_compile=True,
            )
            expected = layer(IMAGES, training=training)
            np.testing.assert_allclose(compiled(IMAGES), expected, atol=1e-5)

    def test_plain_keras_trains_it(self):
        model = _model(HubEncoder(self.images, name="module"))
        before = model.get_layer("module").weights[0].numpy()
        model.compile("sgd", "mse")
        model.fit(IMAGES, np.ones((6, 2)), epochs=1, verbose=0)
        after = model.get_layer("module").weights[0].numpy()
        self.assertGreater(np.abs(after - before).max(), 1e-6)

    def test_the_file_needs_a_loader_that_takes_the_module_out(self):
        model = _model(HubEncoder(self.images))
        path = os.path.join(self.create_tempdir(), "m.keras")
        model.save(path)
        from tl_keras.encoders import saved_models

        known = dict(saved_models._FOLDERS)
        saved_models._FOLDERS.clear()
        self.addCleanup(saved_models._FOLDERS.update, known)
        with self.assertRaisesRegex(ValueError, r"tl_keras\.load_model"):
            keras.models.load_model(path)

    def test_a_folder_without_a_graph_is_named_with_its_content(self):
        folder = self.create_tempdir().full_path
        (open(os.path.join(folder, "weights.h5"), "w")).close()
        with self.assertRaisesRegex(FileNotFoundError, "weights.h5"):
            HubEncoder(folder)

    def test_a_damaged_module_is_a_sentence(self):
        folder = os.path.join(self.create_tempdir(), "module")
        shutil.copytree(self.images, folder)
        with open(os.path.join(folder, "saved_model.pb"), "r+b") as file:
            file.truncate(1000)
        with self.assertRaisesRegex(ValueError, "cannot be (loaded|read)"):
            HubEncoder(folder)
        shutil.rmtree(os.path.join(folder, "variables"))
        shutil.copy(os.path.join(self.images, "saved_model.pb"), folder)
        with self.assertRaisesRegex(ValueError, "cannot be loaded"):
            HubEncoder(folder)


class PartsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        self.images = modules_for_tests.image_module(f"{folder}/images")
        self.tf1 = modules_for_tests.tf1_module(f"{folder}/tf1")

    def test_they_hold_every_weight_once_in_order_of_use(self):
        layer = HubEncoder(self.images)
        self.assertEqual(list(layer.parts), ["block_0", "block_1"])
        names = [w.name for part in layer.parts.values() for w in part]
        self.assertCountEqual(names, [w.name for w in layer.weights])
        self.assertIn("block_1_BN.moving_mean", " ".join(names))

    def test_what_cannot_train_is_one(self):
        self.assertEqual(list(HubEncoder(self.tf1).parts), ["encoder"])


def _model(layer):
    images = keras.Input((8, 8, 3))
    return keras.Model(images, keras.layers.Dense(2)(layer(images)))


def _temporary_folder():
    import tempfile

    return tempfile.TemporaryDirectory()


if __name__ == "__main__":
    absltest.main()
