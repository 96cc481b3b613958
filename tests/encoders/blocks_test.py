"""Blocks of a network, from its graph alone."""

import keras
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.encoders import blocks
from tl_keras.encoders import groups as groups_lib


def application(name, size=75):
    model = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    return keras.Model(model.inputs[0], model.outputs[0])


class BlocksTest(parameterized.TestCase):
    @parameterized.parameters(
        # Names in a series are one block, as the architecture has them.
        ("VGG16", ["block1", "block2", "block3", "block4", "block5"]),
        ("ResNet50", ["conv1", "conv2", "conv3", "conv4", "conv5"]),
    )
    def test_known_architectures(self, name, expected):
        self.assertEqual(list(blocks.groups_of(application(name))), expected)

    @parameterized.parameters("InceptionV3", "DenseNet121", "NASNetMobile")
    def test_they_partition_the_layers_in_graph_order(self, name):
        model = application(name)
        groups_lib.check_groups(model, blocks.groups_of(model))

    def test_automatic_names_are_divided_by_the_graph(self):
        pixels = keras.Input((8, 8, 4))
        first = keras.layers.Conv2D(4, 3, padding="same", name="a")
        second = keras.layers.Conv2D(4, 3, padding="same", name="b")
        shortcut = keras.layers.Conv2D(4, 1, name="c")
        after = keras.layers.Conv2D(4, 3, name="d")
        values = first(pixels)
        values = second(values) + shortcut(values)
        model = keras.Model(pixels, after(values))
        self.assertEqual(
            blocks.groups_of(model),
            {"a": ("a",), "b": ("b", "c"), "d": ("d",)},
        )

    def test_a_normalisation_in_front_is_a_block_of_its_own(self):
        pixels = keras.Input((8, 8, 3))
        values = keras.layers.BatchNormalization(name="norm")(pixels)
        model = keras.Model(pixels, keras.layers.Conv2D(2, 3, name="c")(values))
        self.assertEqual(list(blocks.groups_of(model)), ["norm", "c"])


if __name__ == "__main__":
    absltest.main()
