"""Parts of a module, from the names of its variables and from its graph."""

import pathlib

import modules_for_tests
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.encoders import module_parts


class _Chain(tf.Module):
    """Multiplies by its variables in the order of `used`."""

    def __init__(self, names, used):
        super().__init__()
        self.by_name = {name: tf.Variable(1.0, name=name) for name in names}
        self.used = used

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def __call__(self, values):
        for name in self.used:
            values = values * self.by_name[name]
        return values


class ModulePartsTest(parameterized.TestCase):
    def parts(self, names, used=None):
        used = names if used is None else used
        folder = self.create_tempdir().full_path
        tf.saved_model.save(_Chain(names, used), folder)
        return module_parts.find(pathlib.Path(folder), names)

    def test_they_come_in_the_order_of_first_use(self):
        names = ["c/kernel", "a/kernel", "b/kernel"]
        parts = self.parts(names, used=["b/kernel", "c/kernel", "a/kernel"])
        self.assertEqual(list(parts), ["b", "c", "a"])

    @parameterized.parameters(
        # MobileNetV2 as Keras names it.
        (
            [
                "Conv1/kernel",
                "bn_Conv1/gamma",
                "block_1_expand/kernel",
                "block_1_expand_BN/gamma",
                "block_1_project/kernel",
                "block_2_expand/kernel",
            ],
            ["Conv1", "block_1", "block_2"],
        ),
        # MobileNetV1 of TF-Slim, below a scope.
        (
            [
                "MobilenetV1/Conv2d_0/weights",
                "MobilenetV1/Conv2d_1_depthwise/weights",
                "MobilenetV1/Conv2d_1_pointwise/weights",
                "MobilenetV1/Conv2d_2_depthwise/weights",
            ],
            ["Conv2d_0", "Conv2d_1", "Conv2d_2"],
        ),
        # EfficientNet counts with letters.
        (
            [
                "stem_conv/kernel",
                "block1a_dwconv/kernel",
                "block2a_dwconv/kernel",
                "block2d_dwconv/kernel",
            ],
            ["stem_conv", "block1a", "block2a", "block2d"],
        ),
        # BERT: most variables lie in a series of layers of one scope.
        (
            [
                "bert/word_embeddings/embeddings",
                "bert/transformer/layer_0/attention/query/kernel",
                "bert/transformer/layer_0/output/kernel",
                "bert/transformer/layer_1/attention/query/kernel",
                "bert/transformer/layer_1/output/kernel",
                "bert/pooler/kernel",
            ],
            ["word_embeddings", "layer_0", "layer_1", "pooler"],
        ),
        # ResNet of TF-Slim: a stage a group.
        (
            [
                "resnet/conv1/weights",
                "resnet/block1/unit_1/conv1/weights",
                "resnet/block1/unit_2/conv1/weights",
                "resnet/block2/unit_1/conv1/weights",
            ],
            ["conv1", "block1", "block2"],
        ),
    )
    def test_names_of_known_families(self, names, expected):
        parts = self.parts(names)
        self.assertEqual(list(parts), expected)
        self.assertCountEqual(
            [name for members in parts.values() for name in members], names
        )

    def test_what_the_call_does_not_use_goes_with_the_last(self):
        names = ["a/kernel", "unused/kernel", "b/kernel"]
        parts = self.parts(names, used=["a/kernel", "b/kernel"])
        self.assertEqual(parts["b"], ["b/kernel", "unused/kernel"])

    def test_without_structure_there_is_one(self):
        self.assertEqual(
            self.parts(["embeddings"]), {"encoder": ["embeddings"]}
        )

    def test_functions_within_functions_are_followed(self):
        # Keras saves each layer's call as a function of its own.
        names = ["late/kernel", "early/kernel"]
        module = tf.Module()
        module.late = tf.Variable(2.0, name="late/kernel")
        module.early = tf.Variable(3.0, name="early/kernel")

        @tf.function
        def inner(values, factor):
            return values * factor

        class Outer(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([None])])
            def __call__(self, values):
                values = inner(values, module.early)
                return inner(values, module.late)

        outer = Outer()
        outer.inner = module
        folder = self.create_tempdir().full_path
        tf.saved_model.save(outer, folder)
        parts = module_parts.find(pathlib.Path(folder), names)
        self.assertEqual(list(parts), ["early", "late"])

    @parameterized.parameters(
        ("mobilenet_v2_035_224_feature_vector", "Conv1", "Conv_1", 20),
        ("mobilenet_v1_025_224_feature_vector", "conv1", "conv_pw_13", 27),
        ("yamnet_from_tflite", "conv0", "logits_bias", 29),
    )
    def test_real_modules(self, name, first, last, count):
        folder = modules_for_tests.DATA / "hub" / name
        if not folder.is_dir():
            self.skipTest(f"no real module in {folder} (TL_KERAS_DATA)")
        variables = tf.saved_model.load(str(folder)).variables
        names = [variable.name.split(":")[0] for variable in variables]
        parts = list(module_parts.find(folder, names))
        self.assertEqual(
            (parts[0], parts[-1], len(parts)), (first, last, count)
        )


if __name__ == "__main__":
    absltest.main()
