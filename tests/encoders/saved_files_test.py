"""Saved Keras models as encoders: with a card, and without."""

import pathlib

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import encoders
from tl_keras import input_specs

PIXELS = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3))


class WithCardTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def test_the_file_says_all_that_is_needed(self):
        first = encoders.load("tiny", 16)
        model = tl_keras.build(first, tl_keras.heads.Classifier(num_classes=7))
        tl_keras.save(model, self.folder / "seven.keras")
        encoder = encoders.load(f"file:{self.folder}/seven.keras")
        self.assertEqual(encoder.groups, first.groups)
        self.assertEqual(encoder.input_spec, first.input_spec)
        self.assertEqual(encoder.trained_range, first.trained_range)
        np.testing.assert_array_equal(
            encoder.model(PIXELS), first.model(PIXELS)
        )
        # And it can be built on and saved in turn.
        again = tl_keras.build(
            encoder, tl_keras.heads.Classifier(num_classes=2)
        )
        self.assertEqual(again.output_shape, (None, 2))

    def test_a_module_comes_along(self):
        module = modules_for_tests.text_module(self.folder / "text")
        first = encoders.load(f"hub:{module}")
        model = tl_keras.build(first, tl_keras.heads.Classifier(num_classes=2))
        tl_keras.save(model, self.folder / "texts.keras")
        encoder = encoders.load(f"file:{self.folder}/texts.keras")
        self.assertEqual(encoder.input_spec, input_specs.TextSpec())
        texts = tf.constant(["a good film"])
        np.testing.assert_array_equal(encoder.model(texts), first.model(texts))

    def test_a_module_within_a_model_of_the_users_is_known_by_its_parts(self):
        module = modules_for_tests.image_module(self.folder / "module")
        layer = encoders.HubEncoder(module, name="net")
        pixels = keras.Input((8, 8, 3))
        values = keras.layers.Rescaling(1 / 255)(pixels)
        features = keras.layers.Dense(4, name="mix")(layer(values))
        outputs = keras.layers.Dense(2)(features)
        keras.Model(pixels, outputs).save(self.folder / "own.keras")
        encoder = encoders.load(f"file:{self.folder}/own.keras")
        self.assertEqual(
            dict(encoder.groups),
            {
                **{part: (f"net/{part}",) for part in layer.parts},
                "mix": ("mix",),
            },
        )

    def test_what_the_file_says_is_not_said_twice(self):
        model = tl_keras.build(
            encoders.load("tiny", 16), tl_keras.heads.Classifier(num_classes=2)
        )
        tl_keras.save(model, self.folder / "m.keras")
        with self.assertRaisesRegex(ValueError, "preprocessing='caffe'"):
            encoders.load(f"file:{self.folder}/m.keras", preprocessing="caffe")

    def test_another_size_or_other_data_are_refused(self):
        model = tl_keras.build(
            encoders.load("tiny", 16), tl_keras.heads.Classifier(num_classes=2)
        )
        tl_keras.save(model, self.folder / "m.keras")
        path = f"file:{self.folder}/m.keras"
        with self.assertRaisesRegex(ValueError, "images of 16 px.*=32"):
            encoders.load(path, image_size=32)
        with self.assertRaisesRegex(ValueError, "m.keras.*takes images of 16"):
            encoders.load(
                path,
                input_spec=input_specs.AudioSpec(
                    sample_rate=8000, num_samples=10
                ),
            )


class WithoutCardTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        keras.utils.set_random_seed(0)

    def saved(self, model, name="plain.keras"):
        model.save(self.folder / name)
        return f"file:{self.folder / name}"

    def network(self, size=16, rescale=False):
        pixels = keras.Input((size, size, 3))
        values = pixels
        if rescale:
            values = keras.layers.Rescaling(1 / 255)(values)
        values = keras.layers.Conv2D(4, 3, name="conv1")(values)
        values = keras.layers.BatchNormalization(name="norm1")(values)
        values = keras.layers.Conv2D(6, 3, name="conv2")(values)
        values = keras.layers.GlobalAveragePooling2D(name="pool")(values)
        values = keras.layers.Dropout(0.5)(values)
        outputs = keras.layers.Dense(2, activation="softmax")(values)
        return keras.Model(pixels, outputs)

    def test_it_is_cut_before_its_last_dense_layer(self):
        model = self.network()
        encoder = encoders.load(self.saved(model), preprocessing="none")
        self.assertEqual(
            encoder.groups, {"conv1": ("conv1", "norm1"), "conv2": ("conv2",)}
        )
        features = keras.Model(model.input, model.get_layer("pool").output)
        np.testing.assert_allclose(
            encoder.model(PIXELS), features(PIXELS), rtol=1e-6
        )

    def test_or_behind_a_layer_that_is_named(self):
        encoder = encoders.load(
            self.saved(self.network()), preprocessing="none", cut="conv2"
        )
        self.assertEqual(encoder.model.output_shape, (None, 12, 12, 6))
        with self.assertRaisesRegex(ValueError, "mean 'conv2'"):
            encoders.load(
                self.saved(self.network()), preprocessing="none", cut="cnv2"
            )

    def test_what_it_expects_of_pixels_has_to_be_told(self):
        path = self.saved(self.network())
        with self.assertRaisesRegex(ValueError, "not known.*input_range"):
            encoders.load(path)
        model = self.network()
        path = self.saved(model)
        encoder = encoders.load(path, input_range=(0, 1))
        features = keras.Model(model.input, model.get_layer("pool").output)
        np.testing.assert_allclose(
            encoder.model(PIXELS), features(PIXELS / 255), rtol=1e-4
        )
        self.assertEqual(encoder.trained_range, (0.0, 1.0))
        with self.assertRaisesRegex(ValueError, "Leave one out"):
            encoders.load(path, input_range=(0, 1), preprocessing="tf")

    def test_unless_it_begins_with_a_rescaling(self):
        encoder = encoders.load(self.saved(self.network(rescale=True)))
        self.assertEqual(encoder.preprocessing, "in_model")

    def test_one_for_any_size_gets_one(self):
        model = self.network(size=None)
        path = self.saved(model)
        with self.assertRaisesRegex(ValueError, "any size.*`image_size`"):
            encoders.load(path, preprocessing="none")
        encoder = encoders.load(path, 16, preprocessing="none")
        self.assertEqual(encoder.input_spec.size, 16)

    def test_h5_and_sequential_and_nested_models_are_read(self):
        base = keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                keras.layers.Conv2D(4, 3, name="inner"),
            ],
            name="base",
        )
        model = keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                base,
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(3, name="hidden", activation="relu"),
                keras.layers.Dense(2),
            ]
        )
        for name in ("m.keras", "m.h5"):
            encoder = encoders.load(
                self.saved(model, name), preprocessing="none"
            )
            self.assertEqual(
                encoder.groups, {"base": ("base",), "hidden": ("hidden",)}
            )

    def test_a_model_of_strings_is_an_encoder_of_texts(self):
        texts = keras.Input((), dtype="string")
        numbers = keras.layers.Hashing(50)(texts)
        rows = keras.layers.Embedding(50, 4, name="rows")(numbers)
        model = keras.Model(texts, keras.layers.Dense(2)(rows))
        encoder = encoders.load(self.saved(model))
        self.assertEqual(encoder.input_spec, input_specs.TextSpec())
        self.assertEqual(encoder.groups, {"rows": ("rows",)})

    def test_a_model_without_a_dense_layer_needs_the_cut(self):
        pixels = keras.Input((8, 8, 3))
        values = keras.layers.Conv2D(4, 3, name="conv1")(pixels)
        path = self.saved(keras.Model(pixels, values))
        with self.assertRaisesRegex(ValueError, "`cut`.*conv1"):
            encoders.load(path, preprocessing="none")

    def test_what_is_no_model_is_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "nothing.keras"):
            encoders.load("file:nothing.keras")
        with self.assertRaisesRegex(ValueError, "hub:PATH"):
            encoders.load("file:folder")
        broken = self.folder / "broken.h5"
        broken.write_text("no model")
        with self.assertRaisesRegex(ValueError, "broken.h5.*cannot be read"):
            encoders.load(f"file:{broken}")
        broken = self.folder / "broken.keras"
        broken.write_text("no model")
        with self.assertRaisesRegex(ValueError, "broken.keras.*cannot be read"):
            encoders.load(f"file:{broken}")

    def test_a_lambda_layer_is_not_run(self):
        pixels = keras.Input((8, 8, 3))
        values = keras.layers.Lambda(lambda x: x)(pixels)
        model = keras.Model(pixels, keras.layers.Dense(2)(values))
        path = self.saved(model)
        with self.assertRaisesRegex(ValueError, "Lambda"):
            encoders.load(path, preprocessing="none")

    def test_real_weights_give_real_features(self):
        path = modules_for_tests.DATA / "weights" / "cifar10_resnet8.h5"
        if not path.is_file():
            self.skipTest(f"no real model {path} (TL_KERAS_DATA)")
        encoder = encoders.load(f"file:{path}", preprocessing="none")
        self.assertEqual(
            list(encoder.groups), ["conv2d", "conv2d_1", "conv2d_3", "conv2d_6"]
        )
        self.assertEqual(encoder.model.output_shape, (None, 64))


if __name__ == "__main__":
    absltest.main()
