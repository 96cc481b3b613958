import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.tuning import Phase
from tl_keras.tuning import Plan


class Masked(keras.layers.Layer):
    """Means of the pixels that are not black."""

    def call(self, inputs):
        kept = tf.boolean_mask(inputs, inputs > 0.0)
        return inputs * tf.reduce_mean(kept)


class Counted(keras.layers.Layer):
    def call(self, inputs):
        count = tf.size(tf.unique(tf.reshape(inputs, [-1]))[0])
        return inputs * tf.cast(count, inputs.dtype)


class InPython(keras.layers.Layer):
    def call(self, inputs):
        doubled = tf.py_function(lambda x: 2 * x, [inputs], inputs.dtype)
        return tf.ensure_shape(doubled, inputs.shape)


class Written(keras.layers.Layer):
    def call(self, inputs):
        text = tf.strings.as_string(inputs)
        return inputs * tf.cast(tf.strings.length(text), inputs.dtype)


class Shrunk(keras.layers.Layer):
    """Of which XLA knows nothing, and no list here either."""

    def call(self, inputs):
        return tf.raw_ops.ResizeArea(images=inputs, size=[6, 6])


def data(size=32, batch_size=8):
    images = np.zeros((10, size, size, 3), "uint8")
    return tl_keras.data.from_arrays(
        train=(images, [0, 1] * 5), batch_size=batch_size, validation=False
    )


def check(between, **fields):
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(4, 3, name="body")(between(inputs))
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(hidden))
    return tl_keras.check_tpu(
        model,
        data(8),
        Phase(name="a", **fields),
        groups={"body": ["body"], "head": ["head"]},
    )


class PassesTest(parameterized.TestCase):
    def test_every_kind_of_phase_of_the_tiny_encoder(self):
        model = tl_keras.build(
            tl_keras.encoders.load("tiny"),
            tl_keras.heads.Classifier(num_classes=2, dropout=0.5, l2=0.01),
        )
        plan = Plan(
            "p",
            [
                Phase(
                    name="head", train="head", label_smoothing=0.1, patience=2
                ),
                Phase(name="lora", lora_rank=2, optimizer="sgd"),
                Phase(
                    name="all",
                    micro_batches=2,
                    weights_average=0.999,
                    pruning=0.5,
                    starting_point_strength=0.1,
                    augmentation=tl_keras.data.Augmentation(
                        flip=True, rand_augment_layers=1, mixup=0.2
                    ),
                ),
            ],
        )
        before = model.get_weights()
        found = tl_keras.check_tpu(model, data(), plan)
        self.assertTrue(found.passes, str(found))
        self.assertEqual(list(found.obstacles), ["head", "lora", "all"])
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_mobilenet_v2(self):
        encoder = tl_keras.encoders.load(
            "MobileNetV2", 32, weights=None, alpha=0.35
        )
        model = tl_keras.build(encoder, tl_keras.heads.Classifier(2))
        found = tl_keras.check_tpu(model, data(), tl_keras.plans.full(1))
        self.assertTrue(found.passes, str(found))

    def test_texts_that_are_read_in_the_input_pipeline(self):
        reading = keras.layers.TextVectorization(
            vocabulary=["good", "bad"], output_sequence_length=4
        )
        table = keras.layers.Embedding(4, 2, name="body")
        inputs = keras.Input((), dtype="string")
        hidden = keras.layers.Flatten()(table(reading(inputs)))
        model = keras.Model(inputs, keras.layers.Dense(2, name="head")(hidden))
        texts = np.array(["good", "bad", "so bad", "so good"], object)
        batches = tf.data.Dataset.from_tensor_slices((texts, [1, 0, 0, 1]))
        found = tl_keras.check_tpu(
            model,
            batches.batch(2),
            Phase(name="a"),
            groups={"body": ["body"], "head": ["head"]},
        )
        self.assertTrue(found.passes, str(found))


class NamesTest(parameterized.TestCase):
    @parameterized.parameters(
        (Masked(name="mine"), "Where", "shape has to be known"),
        (Counted(name="mine"), "Unique", "shape has to be known"),
        (InPython(name="mine"), "EagerPyFunc", "calls Python"),
        (Written(name="mine"), "AsString", "computes with texts"),
        (Shrunk(name="mine"), "ResizeArea", "no kernel for a TPU"),
    )
    def test_operation_and_layer_that_stand_in_the_way(
        self, layer, operation, reason
    ):
        found = check(layer)
        self.assertFalse(found.passes)
        obstacles = {one.operation: one for one in found.obstacles["a"]}
        self.assertIn(operation, obstacles, str(found))
        self.assertEqual(obstacles[operation].layer, "mine")
        self.assertIn(reason, obstacles[operation].reason)
        self.assertRegex(
            str(found), f"'a' cannot run(.|\n)*{operation} in layer 'mine'"
        )

    def test_a_rotation_where_it_trains_and_nowhere_else(self):
        rotation = keras.layers.RandomRotation(0.1, name="mine")
        inputs = keras.Input((8, 8, 3))
        hidden = keras.layers.Conv2D(4, 3, name="body")(rotation(inputs))
        hidden = keras.layers.GlobalAveragePooling2D()(hidden)
        head = keras.layers.Dense(2, name="head")
        model = keras.Model(inputs, head(hidden))
        found = tl_keras.check_tpu(
            model,
            data(8),
            Plan("p", [Phase(name="a", train="head"), Phase(name="b")]),
            groups={"body": ["mine", "body"], "head": ["head"]},
        )
        # In front of what trains it runs in inference mode: not at all.
        self.assertEmpty(found.obstacles["a"])
        [obstacle] = found.obstacles["b"]
        self.assertEqual(obstacle.operation, "ImageProjectiveTransformV3")
        self.assertEqual(obstacle.layer, "mine")


if __name__ == "__main__":
    absltest.main()
