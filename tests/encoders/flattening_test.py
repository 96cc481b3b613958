"""Tests of models whose layers are taken apart."""

import os

import keras
import numpy as np
from absl.testing import absltest

from tl_keras.encoders import flattening
from tl_keras.encoders import groups as groups_lib
from tl_keras.encoders import numbered_groups


@keras.saving.register_keras_serializable("tests_of_flattening")
class Block(keras.layers.Layer):
    """Calls a BatchNormalization inside of itself, and one Dropout twice."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(3, name="dense")
        self.dropout = keras.layers.Dropout(0.5, name="dropout")
        self.norm = keras.layers.BatchNormalization(name="norm")

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.norm.build(input_shape)

    def call(self, inputs):
        hidden = self.dropout(self.dense(inputs))
        return inputs + self.dropout(self.norm(hidden))


@keras.saving.register_keras_serializable("tests_of_flattening")
class Blocks(keras.layers.Layer):
    """Several blocks, in a layer that its config does not rebuild."""

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [Block(name=f"block_{i}") for i in range(count)]

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)

    def call(self, inputs):
        for block in self.blocks:
            inputs = block(inputs)
        return inputs


class Folded(Block):
    """A block with the batch's size written into the graph."""

    def call(self, inputs):
        batch_size = keras.ops.shape(inputs)[0]
        if batch_size is None:
            batch_size = 7
        values = keras.ops.reshape(inputs, (batch_size, 3))
        return super().call(values)


@keras.saving.register_keras_serializable("tests_of_flattening")
class Scale(keras.layers.Layer):
    """A layer with a weight of its own, and a result in its config."""

    def __init__(self, width, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.start = start

    def build(self, input_shape):
        initializer = keras.initializers.Constant(self.start)
        self.scale = self.add_weight(
            shape=(self.width,), initializer=initializer
        )

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {**super().get_config(), "width": self.width, "doubled": 6}


class Forgetful(Scale):
    """The same, and the layer does not keep what it was made with."""

    def __init__(self, size, **kwargs):
        super().__init__(size, **kwargs)


def some_model(*layers) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = features = keras.Input((3,))
    for layer in layers:
        features = layer(features)
    return keras.Model(inputs, features)


def some_numbers():
    return np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


class FlattenTest(absltest.TestCase):
    def check(self, model, flat):
        expected = model(some_numbers()).numpy()
        np.testing.assert_allclose(flat(some_numbers()), expected, atol=1e-6)
        copied = keras.models.clone_model(flat)
        copied.set_weights(flat.get_weights())
        np.testing.assert_allclose(copied(some_numbers()), expected, atol=1e-6)

    def test_takes_a_run_of_blocks_apart_and_names_them_after_it(self):
        model = some_model(Blocks(2, name="body"))
        flat = flattening.flatten(model)
        self.assertEqual(
            groups_lib.layers_with_weights(flat),
            [
                "body_block_0_dense",
                "body_block_0_norm",
                "body_block_1_dense",
                "body_block_1_norm",
            ],
        )
        self.check(model, flat)

    def test_takes_a_batch_normalization_out(self):
        model = some_model(Block(name="inner"))
        flat = flattening.flatten(model)
        self.assertIsInstance(
            flat.get_layer("inner_norm"), keras.layers.BatchNormalization
        )
        self.check(model, flat)

    def test_opens_nested_models(self):
        model = some_model(some_model(keras.layers.Dense(3, name="dense")))
        flat = flattening.flatten(model)
        self.assertEqual(groups_lib.layers_with_weights(flat), ["dense"])
        self.check(model, flat)

    def test_leaves_a_layer_closed_that_answers_otherwise_when_opened(self):
        model = some_model(Folded(name="folded"))
        flat = flattening.flatten(model)
        self.assertEqual(groups_lib.layers_with_weights(flat), ["folded"])
        self.check(model, flat)

    def test_shares_the_weights(self):
        model = some_model(Blocks(2))
        flat = flattening.flatten(model)
        flat.set_weights([0 * weight for weight in flat.get_weights()])
        self.assertEqual(abs(model.get_weights()[0]).max(), 0.0)

    def test_the_groups_of_the_blocks_are_in_graph_order(self):
        # A Dropout that is called twice must not close a loop.
        layers = [Blocks(3, name="body"), keras.layers.Dense(2, name="last")]
        flat = flattening.flatten(some_model(*layers))
        groups = numbered_groups.groups_of(flat, "stem")
        self.assertEqual(
            list(groups),
            ["block_0", "block_1", "block_2", "top"],
        )

    def test_a_layer_that_cannot_be_rebuilt_is_saved_all_the_same(self):
        model = some_model(Scale(3, start=2.0, name="scale"))
        flat = flattening.flatten(model)
        self.check(model, flat)
        path = os.path.join(self.create_tempdir(), "model.keras")
        flat.save(path)
        reloaded = keras.models.load_model(path)
        # Two, as it was made, and not one, as its config would have it.
        np.testing.assert_allclose(
            reloaded(some_numbers()), 2 * some_numbers(), atol=1e-6
        )

    def test_says_what_a_layer_forgets(self):
        with self.assertRaisesRegex(ValueError, "with what size it was made"):
            flattening.flatten(some_model(Forgetful(3, name="scale")))


if __name__ == "__main__":
    absltest.main()
