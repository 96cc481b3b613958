"""Tests of KerasHub's presets, against the backbones they are made of."""

import os
import subprocess
import sys
import time
import unittest
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import network
from tl_keras.encoders import presets
from tl_keras.tuning.phases import Phase
from tl_keras.tuning.phases import Plan

try:
    import keras_hub
except ImportError:
    keras_hub = None

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS += ["the", "cat", "sat", "##s", "!", ",", "a", "b", "##b", "mat"]
TEXTS = ["The cat sat", "the cats, a abb!", "", "mat xyz the mat the mat the"]
MEANS_AND_SCALES = {"scale": [0.02, 0.015, 0.01], "offset": [-1.0, -2.0, -3.0]}


def resnet(**options):
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(None, None, 3),
        **options,
    )


def mobilenet():
    return keras_hub.models.MobileNetBackbone(
        stackwise_expansion=[[8, 8], [16]],
        stackwise_num_blocks=[2, 1],
        stackwise_num_filters=[[8, 8], [8]],
        stackwise_kernel_size=[[3, 3], [3]],
        stackwise_num_strides=[[2, 1], [2]],
        stackwise_se_ratio=[[None, None], [0.25]],
        stackwise_activation=[["relu", "relu"], ["hard_swish"]],
        stackwise_padding=[[1, 1], [1]],
        output_num_filters=8,
        input_num_filters=8,
        input_activation="hard_swish",
        output_activation="hard_swish",
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        last_layer_filter=16,
        squeeze_and_excite=0.5,
        image_shape=(32, 32, 3),
    )


def vit():
    return keras_hub.models.ViTBackbone(
        image_shape=(32, 32, 3),
        patch_size=8,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=16,
    )


def bert():
    return keras_hub.models.BertBackbone(
        vocabulary_size=len(TOKENS),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=12,
    )


def distil_bert():
    return keras_hub.models.DistilBertBackbone(
        vocabulary_size=len(TOKENS),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=12,
    )


def some_pixels(channels=3):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (4, 32, 32, channels)).astype("float32")


def changed_layers(model, before):
    return {
        layer.name
        for layer in model.layers
        if not all(map(np.array_equal, before[layer.name], layer.get_weights()))
    }


def fit_in_two_phases(model, inputs):
    """Trains the head, then the last group too; names what has changed."""
    before = {layer.name: layer.get_weights() for layer in model.layers}
    data = tf.data.Dataset.from_tensor_slices((inputs, [0, 1] * 2)).batch(2)
    plan = Plan(
        "two",
        [
            Phase(name="probe", train="head", learning_rate=0.1),
            Phase(name="more", train="last 1", learning_rate=0.1),
        ],
    )
    tl_keras.fit(model, data, plan, verbose=0)
    return changed_layers(model, before)


class WithoutKerasHubTest(absltest.TestCase):
    def test_says_what_to_install(self):
        with mock.patch.dict(sys.modules, {"keras_hub": None}):
            with self.assertRaisesRegex(ImportError, r"tl_keras\[presets\]"):
                presets.load("preset:bert_tiny_en_uncased")


@unittest.skipIf(keras_hub is None, "needs the package `keras-hub`")
class PresetTestCase(parameterized.TestCase):
    def preset(self, backbone, reader=None) -> str:
        """A folder as `save_to_preset` writes it."""
        folder = self.create_tempdir().full_path
        backbone.save_to_preset(folder)
        if reader is not None:
            reader.save_to_preset(folder)
        return folder

    def image_preset(self, backbone, **options) -> str:
        options = {**MEANS_AND_SCALES, **options}
        return self.preset(backbone, keras_hub.layers.ImageConverter(**options))

    def text_preset(self, make=bert) -> str:
        kinds = {
            bert: keras_hub.models.BertTokenizer,
            distil_bert: keras_hub.models.DistilBertTokenizer,
        }
        return self.preset(make(), kinds[make](TOKENS, lowercase=True))


class ImagePresetTest(PresetTestCase):
    @parameterized.parameters(
        (resnet, ["stem", "stack0", "stack1"]),
        (mobilenet, ["stem", "block_0", "block_1", "block_2", "block_3"]),
        (vit, ["stem", "block_1", "block_2", "top"]),
    )
    def test_equals_the_backbone_behind_its_converter(self, make, groups):
        keras.utils.set_random_seed(0)
        folder = self.image_preset(make(), image_size=(32, 32))
        encoder = presets.load(f"preset:{folder}")
        converter = keras_hub.layers.ImageConverter.from_preset(folder)
        backbone = keras_hub.models.Backbone.from_preset(folder)
        expected = backbone(converter(some_pixels()))
        np.testing.assert_allclose(
            encoder.model(some_pixels()), expected, atol=1e-5
        )
        self.assertEqual(list(encoder.groups), groups)
        with self.subTest("the converter's scaling is the trained range"):
            # 255 * 0.02 - 1 is the highest, 0 - 3 the lowest.
            np.testing.assert_allclose(encoder.trained_range, (-3.0, 4.1))
        with self.subTest("a copy in bfloat16 answers nearly alike"):
            head = tl_keras.heads.Classifier(num_classes=2)
            plain = tl_keras.build(encoder, head)(some_pixels()).numpy()
            policy = "mixed_bfloat16"
            mixed = tl_keras.build(encoder, head, dtype_policy=policy)
            atol = 0.05 * max(1.0, abs(plain).max())
            np.testing.assert_allclose(mixed(some_pixels()), plain, atol=atol)
        with self.subTest("it is saved and loaded"):
            path = os.path.join(folder, "model.keras")
            encoder.model.save(path)
            np.testing.assert_array_equal(
                keras.models.load_model(path)(some_pixels()),
                encoder.model(some_pixels()),
            )

    def test_frozen_groups_stay_in_two_phases(self):
        folder = self.image_preset(mobilenet(), image_size=(32, 32))
        encoder = presets.load(folder)
        head = tl_keras.heads.Classifier(num_classes=2)
        model = tl_keras.build(encoder, head)
        changed = fit_in_two_phases(model, some_pixels())
        last = list(encoder.groups)[-1]
        self.assertContainsSubset(
            changed, {*encoder.groups[last], "head_logits"}
        )
        self.assertNotEmpty(changed & set(encoder.groups[last]))

    def test_tokens_can_be_chosen_from(self):
        folder = self.image_preset(vit())
        all_tokens = presets.load(folder).model(some_pixels()).numpy()
        # Sixteen patches and the class token in front.
        self.assertEqual(all_tokens.shape, (4, 17, 8))
        for features, expected in (
            ("cls", all_tokens[:, 0]),
            ("mean", all_tokens.mean(axis=1)),
        ):
            encoder = presets.load(folder, features=features)
            np.testing.assert_allclose(
                encoder.model(some_pixels()), expected, atol=1e-5
            )

    def test_takes_another_size_where_the_network_does(self):
        encoder = presets.load(self.image_preset(resnet()), 48)
        self.assertEqual(encoder.input_spec.size, 48)
        self.assertEqual(encoder.model.output_shape, (None, 6, 6, 64))

    def test_grey_and_a_fourth_channel_change_nothing_at_first(self):
        folder = self.image_preset(resnet(), image_size=(32, 32))
        rgb = presets.load(folder).model
        grey = presets.load(folder, channels=1).model
        np.testing.assert_allclose(
            grey(some_pixels(1)),
            rgb(np.repeat(some_pixels(1), 3, axis=-1)),
            atol=1e-4,
        )
        four = presets.load(folder, channels=4).model
        np.testing.assert_allclose(
            four(some_pixels(4)), rgb(some_pixels(4)[..., :3]), atol=1e-4
        )

    def test_weights_are_random_or_come_from_a_file(self):
        folder = self.image_preset(resnet(), image_size=(32, 32))
        pretrained = presets.load(folder).model
        random = presets.load(folder, weights=None).model
        differ = np.abs(random(some_pixels()) - pretrained(some_pixels()))
        self.assertGreater(differ.max(), 0.01)
        path = os.path.join(folder, "mine.weights.h5")
        random.save_weights(path)
        np.testing.assert_array_equal(
            presets.load(folder, weights=path).model(some_pixels()),
            random(some_pixels()),
        )

    @parameterized.named_parameters(
        ("size", vit, {"image_size": 64}, "image_size=64. Expected 32"),
        ("channels", vit, {"channels": 4}, "does not begin with a conv"),
        ("features", resnet, {"features": "cls"}, "gives no tokens"),
        ("option", vit, {"feature": "cls"}, "Did you mean 'features'"),
        ("path", resnet, {"weights": "no.h5"}, "does not fit.*'no.h5'"),
    )
    def test_refuses(self, make, options, why):
        folder = self.image_preset(make(), image_size=(32, 32))
        with self.assertRaisesRegex(ValueError, why):
            presets.load(folder, **options)

    def test_refuses_a_preset_that_does_not_say_how_images_are_scaled(self):
        folder = self.preset(resnet())
        with self.assertRaisesRegex(ValueError, r"ImageConverter\(scale=1"):
            presets.load(folder)


class TextPresetTest(PresetTestCase):
    @parameterized.parameters(
        (bert, ("cls", "mean", "sequence", "pooled")),
        (distil_bert, ("cls", "pooled")),
    )
    def test_equals_the_backbone_behind_its_preprocessor(self, make, choices):
        folder = self.text_preset(make)
        kind = keras_hub.models.TextClassifierPreprocessor
        preprocessor = kind.from_preset(folder, sequence_length=8)
        backbone = keras_hub.models.Backbone.from_preset(folder)
        inputs = preprocessor(tf.constant(TEXTS))
        outputs = backbone({key: inputs[key] for key in backbone.input})
        if not isinstance(outputs, dict):
            outputs = {"sequence_output": outputs}
        tokens = np.asarray(outputs["sequence_output"])
        present = np.asarray(inputs["padding_mask"])[..., None]
        expected = {
            "sequence": tokens,
            "cls": tokens[:, 0],
            "mean": (tokens * present).sum(1) / present.sum(1),
            "pooled": outputs.get("pooled_output"),
        }
        for features in choices:
            values = expected[features]
            options = {"features": features, "sequence_length": 8}
            if values is None:
                with self.assertRaisesRegex(ValueError, "no pooled output"):
                    presets.load(folder, **options)
                continue
            encoder = presets.load(folder, **options)
            np.testing.assert_allclose(
                encoder.model(tf.constant(TEXTS)), values, atol=1e-5
            )
            top = ["top"] if features == "pooled" else []
            self.assertEqual(
                list(encoder.groups),
                ["embeddings", "layer_0", "layer_1", *top],
            )

    def test_trains_in_two_phases_and_is_loaded_by_a_fresh_process(self):
        encoder = presets.load(self.text_preset(), sequence_length=8)
        head = tl_keras.heads.Classifier(num_classes=2)
        model = tl_keras.build(encoder, head)
        changed = fit_in_two_phases(model, TEXTS)
        self.assertEqual(changed, {"transformer_layer_1", "head_logits"})

        folder = self.create_tempdir().full_path
        path = os.path.join(folder, "model.keras")
        tl_keras.save(model, path)
        script = (
            "import keras, numpy as np, tensorflow as tf\n"
            "from tl_keras.encoders import wordpiece\n"
            f"model = keras.models.load_model({path!r})\n"
            f"np.save({folder!r} + '/out.npy', model(tf.constant({TEXTS!r})))\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
        np.testing.assert_allclose(
            np.load(os.path.join(folder, "out.npy")),
            model(tf.constant(TEXTS)),
            atol=1e-6,
        )

    def test_mixed_precision_answers_nearly_alike(self):
        encoder = presets.load(self.text_preset(), sequence_length=8)
        head = tl_keras.heads.Classifier(num_classes=2)
        texts = tf.constant(TEXTS)
        mixed = tl_keras.build(encoder, head, dtype_policy="mixed_bfloat16")
        np.testing.assert_allclose(
            mixed(texts), tl_keras.build(encoder, head)(texts), atol=0.1
        )

    @parameterized.named_parameters(
        ("image_size", {"image_size": 224}, "no `image_size`"),
        ("channels", {"channels": 1}, "no `channels`"),
        ("long", {"sequence_length": 13}, "Expected at most 12"),
        ("features", {"features": "clss"}, "Did you mean 'cls'"),
        ("option", {"alpha": 1.0}, "no such option. Got: 'alpha'"),
    )
    def test_refuses(self, options, why):
        options = {"sequence_length": 8, **options}
        with self.assertRaisesRegex(ValueError, why):
            presets.load(self.text_preset(), **options)

    def test_refuses_a_tokenizer_that_needs_other_operations(self):
        backbone = keras_hub.models.RobertaBackbone(
            vocabulary_size=8,
            num_layers=1,
            num_heads=1,
            hidden_dim=4,
            intermediate_dim=4,
        )
        tokens = ["<s>", "<pad>", "</s>", "<mask>", "a", "b", "ab", "<unk>"]
        tokenizer = keras_hub.models.RobertaTokenizer(
            {token: number for number, token in enumerate(tokens)}, ["a b"]
        )
        folder = self.preset(backbone, tokenizer)
        with self.assertRaisesRegex(ValueError, "RobertaTokenizer.*WordPiece"):
            presets.load(folder)


class FindingPresetsTest(PresetTestCase):
    def test_without_a_network_it_says_so_quickly(self):
        start = time.perf_counter()
        empty = self.create_tempdir().full_path
        with (
            mock.patch.dict(os.environ, {"KAGGLEHUB_CACHE": empty}),
            mock.patch.object(
                network, "problem_with", return_value="no route to host"
            ),
        ):
            for name in ("bert_tiny_en_uncased", "hf://nobody/nothing"):
                with self.assertRaisesRegex(
                    ConnectionError, "no route to host.*save_to_preset"
                ):
                    presets.load(f"preset:{name}")
        self.assertLess(time.perf_counter() - start, 5)

    @parameterized.parameters(
        ("preset:bert_tiny_en_uncase", ValueError, "mean 'bert_tiny_en_uncas"),
        ("preset:no/such/folder", FileNotFoundError, "There is no folder"),
    )
    def test_a_wrong_name_is_an_error(self, name, error, why):
        with self.assertRaisesRegex(error, why):
            presets.load(name)


if __name__ == "__main__":
    absltest.main()
