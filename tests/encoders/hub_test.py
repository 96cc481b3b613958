"""Encoders from modules: what is read off them, and what has to be said."""

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import encoders
from tl_keras import input_specs


class HubTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def load(self, kind, **options):
        make = getattr(modules_for_tests, f"{kind}_module")
        module = make(f"{self.folder}/{kind}")
        return encoders.load(f"hub:{module}", **options)

    def module(self, function, *specs):
        """A module of one function without weights."""

        class Made(tf.Module):
            __call__ = tf.function(
                lambda self, *inputs: function(*inputs), input_signature=specs
            )

        path = f"{self.folder}/made"
        tf.saved_model.save(Made(), path)
        return f"hub:{path}"

    def test_an_image_module_takes_pixels_and_sees_0_to_1(self):
        encoder = self.load("image")
        self.assertEqual(encoder.input_spec, input_specs.ImageSpec(size=8))
        self.assertEqual(encoder.trained_range, (0.0, 1.0))
        self.assertEqual(
            encoder.groups,
            {
                "block_0": ("module_image/block_0",),
                "block_1": ("module_image/block_1",),
            },
        )
        pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3))
        pixels = pixels.astype("float32")
        alone = tf.saved_model.load(f"{self.folder}/image")
        np.testing.assert_allclose(
            encoder.model(pixels), alone(pixels / 255, False), rtol=1e-5
        )

    def test_another_range_is_taken_as_told(self):
        encoder = self.load("image", input_range=(-1, 1))
        layer = encoder.model.get_layer(encoder.preprocessing_output)
        np.testing.assert_allclose(
            layer(np.array([[[[0.0, 127.5, 255.0]]]])),
            [[[[-1, 0, 1]]]],
            atol=1e-6,
        )

    def test_grey_images_are_repeated(self):
        encoder = self.load("image", channels=1)
        self.assertEqual(encoder.input_spec.channels, 1)
        grey = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 1))
        rgb = encoders.load(f"hub:{self.folder}/image")
        np.testing.assert_allclose(
            encoder.model(grey), rgb.model(np.repeat(grey, 3, -1)), rtol=1e-5
        )
        with self.assertRaisesRegex(ValueError, "3 channels.*channels=4"):
            encoders.load(f"hub:{self.folder}/image", channels=4)

    def test_the_size_is_the_modules_or_chosen_where_it_takes_any(self):
        with self.assertRaisesRegex(ValueError, "images of 8 px.*=96"):
            self.load("image", image_size=96)
        free = self.module(
            lambda images: tf.reduce_mean(images, [1, 2]),
            tf.TensorSpec([None, None, None, 3]),
        )
        self.assertEqual(encoders.load(free).input_spec.size, 224)
        encoder = encoders.load(free, image_size=32)
        self.assertEqual(encoder.input_spec.size, 32)
        self.assertEqual(encoder.groups, {})
        wide = self.module(
            lambda images: tf.reduce_mean(images, [1, 2]),
            tf.TensorSpec([None, 8, 16, 3]),
        )
        with self.assertRaisesRegex(ValueError, "not square. Got: 8 x 16"):
            encoders.load(wide)

    def test_a_module_of_uint8_gets_0_to_255(self):
        encoder = encoders.load(
            self.module(
                lambda images: tf.reduce_mean(
                    tf.cast(images, tf.float32), [1, 2]
                ),
                tf.TensorSpec([None, 4, 4, 3], tf.uint8),
            )
        )
        pixels = np.full((1, 4, 4, 3), 200.0)
        np.testing.assert_allclose(encoder.model(pixels), [[200.0] * 3])

    def test_a_text_module_takes_strings(self):
        encoder = self.load("text")
        self.assertEqual(encoder.input_spec, input_specs.TextSpec())
        self.assertEqual(encoder.model.output_shape, (None, 5))
        self.assertEqual(encoder.groups, {"encoder": ("module_text/encoder",)})

    def test_a_pair_is_preprocessor_and_encoder(self):
        preprocessor = modules_for_tests.preprocessor_module(
            f"{self.folder}/words"
        )
        encoder = self.load("token", preprocessor=preprocessor)
        self.assertEqual(
            list(encoder.groups), ["word_embeddings", "layer_0", "layer_1"]
        )
        texts = tf.constant(["a good film", "bad", ""])
        tokens = tf.saved_model.load(preprocessor)(texts)
        module = tf.saved_model.load(f"{self.folder}/token")
        np.testing.assert_allclose(
            encoder.model(texts), module(tokens)["pooled_output"], rtol=1e-6
        )
        sequence = encoders.load(
            f"hub:{self.folder}/token",
            preprocessor=preprocessor,
            output_key="sequence_output",
        )
        self.assertEqual(sequence.model.output_shape, (None, 4, 6))

    def test_half_a_pair_says_what_is_missing(self):
        with self.assertRaisesRegex(
            ValueError, "input_word_ids: int32.*preprocessor=HANDLE"
        ):
            self.load("token")

    def test_a_clip_module_gives_the_mean_of_its_frames(self):
        encoder = self.load("clip")
        self.assertEqual(
            encoder.input_spec,
            input_specs.AudioSpec(sample_rate=16_000, num_samples=None),
        )
        clips = np.random.default_rng(0).normal(size=(2, 480), scale=0.1)
        module = tf.saved_model.load(f"{self.folder}/clip")
        expected = [
            tf.reduce_mean(module(tf.constant(clip, tf.float32))[1], 0)
            for clip in clips
        ]
        np.testing.assert_allclose(encoder.model(clips), expected, rtol=1e-5)

    def test_clips_of_another_rate_are_resampled_and_mixed_inside(self):
        spec = input_specs.AudioSpec(
            sample_rate=8000, num_samples=240, channels=2
        )
        encoder = self.load("clip", input_spec=spec)
        self.assertEqual(encoder.input_spec, spec)
        time = np.arange(240)[:, None] / 8000
        tone = np.sin(2 * np.pi * 200 * time).astype("float32")
        left_only = np.concatenate([tone, 0 * tone], 1)[None]
        mono = encoders.load(
            f"hub:{self.folder}/clip",
            input_spec=input_specs.AudioSpec(
                sample_rate=16_000, num_samples=480
            ),
        )
        time = np.arange(480) / 16_000
        same = 0.5 * np.sin(2 * np.pi * 200 * time).astype("float32")[None]
        # A tone far below both rates survives but for the ends.
        np.testing.assert_allclose(
            encoder.model(left_only), mono.model(same), atol=0.02
        )

    def test_a_module_of_a_fixed_length_gets_it(self):
        spec = input_specs.AudioSpec(sample_rate=8000, num_samples=100)
        encoder = self.load("waveform", input_spec=spec, sample_rate=8000)
        self.assertEqual(encoder.model.output_shape, (None, 5))
        clip = np.random.default_rng(0).normal(size=(1, 100)).astype("float32")
        padded = np.pad(clip, [(0, 0), (0, 300)])[..., None]
        notes = tf.saved_model.load(f"{self.folder}/waveform")(padded)["notes"]
        np.testing.assert_allclose(
            encoder.model(clip), notes.numpy().mean(1), rtol=1e-5
        )

    def test_several_outputs_are_listed(self):
        many = self.module(
            lambda images: {"one": images, "two": images},
            tf.TensorSpec([None, 4, 4, 3]),
        )
        with self.assertRaisesRegex(ValueError, "output_key.*'one', 'two'"):
            encoders.load(many)
        encoder = encoders.load(many, output_key="two")
        self.assertEqual(encoder.model.output_shape, (None, 4, 4, 3))

    def test_the_usual_output_is_found(self):
        usual = self.module(
            lambda images: {
                "scores": images,
                "default": tf.reduce_mean(images, [1, 2]),
            },
            tf.TensorSpec([None, 4, 4, 3]),
        )
        self.assertEqual(encoders.load(usual).model.output_shape, (None, 3))

    def test_other_inputs_are_refused_with_their_form(self):
        tabular = self.module(lambda x: x, tf.TensorSpec([None, 3], tf.int32))
        with self.assertRaisesRegex(ValueError, r"int32 \(None, 3\)"):
            encoders.load(tabular)
        several = self.module(lambda x: x["a"], {"a": tf.TensorSpec([None, 3])})
        with self.assertRaisesRegex(ValueError, "takes several inputs"):
            encoders.load(several)

    @parameterized.parameters(
        ("image", {"sample_rate": 8000}, "sample_rate"),
        ("text", {"image_size": 8}, "image_size"),
        ("text", {"input_range": (0, 1)}, "input_range"),
        ("clip", {"image_size": 8}, "image_size"),
    )
    def test_options_for_another_kind_are_refused(self, kind, options, name):
        with self.assertRaisesRegex(ValueError, f"{name}.*Leave them out"):
            self.load(kind, **options)

    def test_weights_and_wrong_options_are_refused(self):
        with self.assertRaisesRegex(ValueError, "brings its own weights"):
            self.load("image", weights=None)
        with self.assertRaisesRegex(TypeError, "alpha"):
            encoders.load(f"hub:{self.folder}/image", alpha=0.5)

    @parameterized.parameters(
        ("image", {"image_size": 0}, "image_size.*too small"),
        ("image", {"sample_rate": 0}, "sample_rate.*for others"),
        ("image", {"input_range": (1.0, 1.0)}, "input_range"),
        ("image", {"output_key": "x"}, "one output.*'x'"),
        ("waveform", {"sample_rate": 0}, "sample_rate.*too small"),
    )
    def test_values_out_of_range_are_refused(self, module, options, why):
        with self.assertRaisesRegex(ValueError, why):
            self.load(module, **options)

    def test_no_channels_are_refused(self):
        with self.assertRaisesRegex(ValueError, "channels"):
            encoders.load("tiny", channels=0)

    def test_data_of_another_kind_are_refused(self):
        with self.assertRaisesRegex(ValueError, "takes text"):
            self.load("text", input_spec=input_specs.ImageSpec(size=8))
        spec = input_specs.AudioSpec(sample_rate=8000, num_samples=10)
        for name in ("tiny", "minilm", "preset:bert_tiny_en_uncased"):
            with self.assertRaisesRegex(ValueError, f"{name}.*takes no sound"):
                encoders.load(name, input_spec=spec)

    def test_the_datas_spec_stands_for_size_and_channels(self):
        spec = input_specs.ImageSpec(size=16, channels=1)
        encoder = encoders.load("tiny", input_spec=spec)
        self.assertEqual(encoder.input_spec, spec)
        with self.assertRaisesRegex(ValueError, "Leave one out"):
            encoders.load("tiny", image_size=16, input_spec=spec)

    def test_nothing_at_the_path(self):
        with self.assertRaisesRegex(FileNotFoundError, "nowhere"):
            encoders.load("hub:nowhere/at/all")
        with self.assertRaisesRegex(ValueError, "No module is named"):
            encoders.load("hub:")

    def test_clones_and_plain_keras_see_one_layer(self):
        encoder = self.load("image")
        self.assertLen(keras.models.clone_model(encoder.model).layers, 3)


if __name__ == "__main__":
    absltest.main()
