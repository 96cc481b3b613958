"""Tests of how a graph's layers are found and assigned to groups."""

import keras
from absl.testing import absltest

from tl_keras import graph
from tl_keras.encoders import groups as groups_lib


def _forked():
    """pixels -> conv -> relu -> (left, right) -> add."""
    pixels = keras.Input((8, 8, 3), name="pixels")
    values = keras.layers.Conv2D(4, 3, name="conv")(pixels)
    values = keras.layers.ReLU(name="relu")(values)
    left = keras.layers.Conv2D(4, 1, name="left")(values)
    right = keras.layers.Conv2D(4, 1, name="right")(values)
    return keras.Model(pixels, keras.layers.Add(name="add")([left, right]))


class GraphTest(absltest.TestCase):
    def test_lists_what_each_operation_reads(self):
        self.assertEqual(
            graph.inputs_of(_forked()),
            {
                "pixels": [],
                "conv": ["pixels"],
                "relu": ["conv"],
                "left": ["relu"],
                "right": ["relu"],
                "add": ["left", "right"],
            },
        )

    def test_ignores_calls_of_a_layer_outside_of_the_model(self):
        model = _forked()
        keras.Model(model.inputs, model.get_layer("conv")(model.inputs[0]))
        self.assertEqual(graph.inputs_of(model)["conv"], ["pixels"])

    def test_layers_without_weights_follow_the_last_group_they_read(self):
        groups = {"stem": ["conv"], "left": ["left"], "right": ["right"]}
        self.assertEqual(
            groups_lib.group_indices(_forked(), groups),
            {"pixels": -1, "conv": 0, "relu": 0, "left": 1, "right": 2}
            | {"add": 2},
        )

    def test_counts_dropout_as_a_layer_without_weights(self):
        pixels = keras.Input((8,))
        # It has the state of a random generator, which is not learned.
        model = keras.Model(pixels, keras.layers.Dropout(0.5)(pixels))
        self.assertEqual(groups_lib.layers_with_weights(model), [])

    def test_parallel_groups_may_stand_in_either_order(self):
        groups = {"stem": ["conv"], "right": ["right"], "left": ["left"]}
        groups_lib.check_groups(_forked(), groups)


if __name__ == "__main__":
    absltest.main()
