"""What a part of a model computes has one fingerprint, and no other part."""

import os
import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized
from keras import layers
from keras import ops

from tl_keras import cuts
from tl_keras import graph
from tl_keras.training import graph_fingerprint


def model():
    """A model of layers and operations, with branches and a nested model."""
    keras.utils.set_random_seed(7)
    inputs = keras.Input((8, 8, 3))
    hidden = layers.Rescaling(1 / 255)(inputs)
    left = layers.Conv2D(4, 3, activation="gelu")(hidden)
    right = layers.Conv2D(4, 3, kernel_regularizer="l2")(hidden)
    hidden = layers.BatchNormalization()(layers.Add()([left, right]))
    hidden = ops.clip(hidden * 2.0 - left, -3.0, 3.0)[:, 1:, ::2]
    inner = keras.Sequential(
        [keras.Input((5, 3, 4)), layers.Dropout(0.5), layers.Dense(3)]
    )
    hidden = ops.mean(inner(hidden), axis=(1, 2))
    return keras.Model(inputs, layers.Dense(2)(hidden))


def small_model(
    *, filters=3, strides=1, factor=2.0, size=8, dtype=None, swap=False
):
    inputs = keras.Input((size, size, 3))
    hidden = layers.Conv2D(filters, 3, strides=strides, dtype=dtype)(inputs)
    hidden = layers.BatchNormalization(dtype=dtype)(hidden)
    hidden = layers.Dropout(0.5)(hidden * factor)
    sides = [ops.relu(hidden), hidden]
    if swap:
        sides = sides[::-1]
    made = keras.Model(inputs, layers.Subtract()(sides))
    rng = np.random.default_rng(0)
    for weight in made.weights:
        if weight.name != "seed_generator_state":
            weight.assign(rng.normal(size=weight.shape))
    return made


def fingerprint(made):
    return graph_fingerprint.of(graph.flat(made))


def around(operation, shape=(4, 4), dtype="float32"):
    """A model of one operation."""
    inputs = keras.Input(shape, dtype=dtype)
    return keras.Model(inputs, operation(inputs))


class EqualTest(parameterized.TestCase):
    def test_in_every_process(self):
        found = {fingerprint(model())}
        for seed in ("1", "2"):
            ended = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "import importlib, sys; sys.path.append(sys.argv[1]); "
                    "made = importlib.import_module(sys.argv[2]); "
                    "print(made.fingerprint(made.model()))",
                    str(pathlib.Path(__file__).parent),
                    pathlib.Path(__file__).stem,
                ],
                capture_output=True,
                text=True,
                check=True,
                # Another order of sets.
                env={
                    **os.environ,
                    "PYTHONHASHSEED": seed,
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                },
            )
            found.add(ended.stdout.split()[-1])
        self.assertLen(found, 1)

    def test_for_models_built_twice_whatever_was_built_between(self):
        first = fingerprint(model())
        for _ in range(3):
            layers.Dense(3)
            self.assertEqual(fingerprint(model()), first)

    def test_whatever_trains(self):
        made, first = model(), fingerprint(model())
        for layer in made.layers[::2]:
            layer.trainable = False
            self.assertEqual(fingerprint(made), first)

    def test_whatever_layers_and_model_are_called(self):
        def named(name):
            inputs = keras.Input((2,), name=f"in_{name}")
            hidden = layers.ReLU(name=name)(inputs)
            return keras.Model(inputs, hidden, name=f"model_{name}")

        self.assertEqual(fingerprint(named("a")), fingerprint(named("b")))

    def test_whatever_dropout_has_drawn(self):
        made, first = model(), fingerprint(model())
        made(np.zeros([2, 8, 8, 3]), training=True)
        # In training mode the moving statistics move too.
        for own, other in zip(made.weights, model().weights, strict=True):
            if own.name != "seed_generator_state":
                own.assign(other)
        self.assertEqual(fingerprint(made), first)

    def test_after_compiling_and_predicting(self):
        made, first = model(), fingerprint(model())
        made.compile("adam", "mse")
        made.predict(np.zeros([2, 8, 8, 3]), verbose=0)
        self.assertEqual(fingerprint(made), first)

    def test_after_saving_and_loading(self):
        made = model()
        path = self.enter_context(tempfile.TemporaryDirectory()) + "/m.keras"
        made.save(path)
        self.assertEqual(
            fingerprint(keras.models.load_model(path)), fingerprint(made)
        )

    def test_whether_a_model_is_nested_or_not(self):
        layer = layers.Dense(2)
        flat = around(layer, (3,))
        inner = keras.Sequential([keras.Input((3,)), layer])
        self.assertEqual(fingerprint(around(inner, (3,))), fingerprint(flat))

    def test_of_a_part_whatever_comes_behind(self):
        hidden = layers.Dense(2)

        def first_part(head):
            inputs = keras.Input((3,))
            whole = graph.flat(keras.Model(inputs, head(hidden(inputs))))
            part, _ = cuts.split(whole, whole.calls[0].writes)
            return graph_fingerprint.of(part)

        self.assertEqual(
            first_part(layers.Dense(4)), first_part(layers.Dense(5))
        )


class DiffersTest(parameterized.TestCase):
    def check_differ(self, *models):
        found = [fingerprint(made) for made in models]
        self.assertLen(set(found), len(found))

    @parameterized.parameters(
        lambda x: x * 2.0,
        lambda x: x * 3.0,
        lambda x: 2.0 * x,
        lambda x: x - 2.0,
        lambda x: 2.0 - x,
        lambda x: x / 2.0,
        lambda x: x[:, 1:],
        lambda x: x[:, :-1],
        lambda x: ops.clip(x, 0.0, 1.0),
        lambda x: ops.transpose(x, (0, 2, 1)),
        lambda x: ops.add(x, np.arange(4.0)),
        lambda x: ops.add(x, np.arange(4.0)[::-1]),
        lambda x: ops.take(x, np.array([0, 1]), axis=1),
        lambda x: ops.take(x, np.array([0, 2]), axis=1),
        lambda x: ops.sum(x, axis=1),
        lambda x: ops.sum(x, axis=2),
    )
    def test_for_operations_unlike_a_doubling_by_addition(self, operation):
        self.check_differ(around(operation), around(lambda x: x + x))

    @parameterized.parameters(
        (lambda x, k: x * k, 2.0, 3.0),
        (lambda x, k: ops.clip(x, 0.0, k), 1.0, 6.0),
        (lambda x, k: x[:, k:], 1, 2),
        (lambda x, k: ops.sum(x, axis=k), 1, 2),
        (lambda x, k: ops.add(x, np.full(4, k)), 1.0, 2.0),
        (lambda x, k: ops.take(x, np.array([0, k]), axis=1), 1, 2),
        (lambda x, k: ops.pad(x, ((0, 0), (k, 2 - k), (0, 0))), 0, 1),
        (lambda x, k: ops.roll(x, k, axis=1), 1, 2),
        (lambda x, k: layers.LeakyReLU(k)(x), 0.1, 0.2),
        (lambda x, k: layers.Rescaling(k)(x), 1.0, 2.0),
        (lambda x, k: layers.Rescaling(1.0, offset=k)(x), 0.0, 1.0),
        (lambda x, k: layers.Activation(k)(x), "relu", "gelu"),
        (
            lambda x, k: layers.Lambda(lambda y, k: y, arguments={"k": k})(x),
            1,
            2,
        ),
    )
    def test_for_another_constant(self, operation, one, other):
        self.check_differ(
            around(lambda x: operation(x, one)),
            around(lambda x: operation(x, other)),
        )

    def test_for_one_number_in_the_middle_of_a_large_constant(self):
        constants = np.zeros([2, 5000], "float32")
        constants[1, 2500] = 1.0
        self.check_differ(
            *(around(lambda x, c=c: x + c, (5000,)) for c in constants)
        )

    def test_for_the_next_float_in_any_weight(self):
        made = model()
        first = fingerprint(made)
        for weight in made.weights:
            if weight.name == "seed_generator_state":
                continue
            value = weight.numpy()
            for place in (0, -1):
                moved = value.copy()
                moved.flat[place] = np.nextafter(
                    moved.flat[place], np.float32(np.inf)
                )
                weight.assign(moved)
                self.assertNotEqual(fingerprint(made), first, weight.path)
            weight.assign(value)
        self.assertEqual(fingerprint(made), first)

    def test_for_moving_statistics(self):
        layer = layers.BatchNormalization()
        made = around(layer)
        first = fingerprint(made)
        made(np.ones([2, 4, 4]), training=True)
        self.assertNotEqual(fingerprint(made), first)

    def test_for_equal_weights_in_other_places(self):
        one, other = (layers.Dense(4, use_bias=False) for _ in range(2))
        made = around(lambda x: other(one(x)), (4,))
        swapped = around(lambda x: one(other(x)), (4,))
        self.check_differ(made, swapped)

    @parameterized.parameters(
        {"strides": 2},
        {"padding": "same"},
        {"dilation_rate": 2},
        {"activation": "relu"},
        {"use_bias": False},
    )
    def test_for_another_setting_of_a_layer(self, **changed):
        def conv(**options):
            layer = layers.Conv2D(2, 3, kernel_initializer="ones", **options)
            return around(layer, (8, 8, 3))

        self.check_differ(conv(), conv(**changed))

    def test_for_another_epsilon(self):
        self.check_differ(
            around(layers.LayerNormalization()),
            around(layers.LayerNormalization(epsilon=1e-6)),
        )

    def test_for_another_connection(self):
        def joined(order):
            inputs = keras.Input((2,))
            sides = [ops.exp(inputs), ops.sin(inputs), inputs]
            both = layers.Subtract()([sides[number] for number in order])
            return keras.Model(inputs, both)

        orders = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
        self.check_differ(*map(joined, orders))

    def test_for_a_layer_shared_or_copied(self):
        shared = layers.ReLU()
        self.check_differ(
            around(lambda x: shared(shared(x) - 1.0)),
            around(lambda x: shared(x) - 1.0),
        )

    def test_for_another_order_of_inputs_or_outputs(self):
        def reordered(inputs_order, outputs_order):
            inputs = [keras.Input((2,)), keras.Input((2,))]
            outputs = [ops.exp(inputs[0]), ops.sin(inputs[1])]
            return keras.Model(
                [inputs[n] for n in inputs_order],
                [outputs[n] for n in outputs_order],
            )

        self.check_differ(
            reordered((0, 1), (0, 1)),
            reordered((1, 0), (0, 1)),
            reordered((0, 1), (1, 0)),
        )

    def test_for_another_number_of_outputs(self):
        inputs = keras.Input((2,))
        outputs = ops.exp(inputs)
        self.check_differ(
            keras.Model(inputs, outputs),
            keras.Model(inputs, [outputs, outputs]),
            keras.Model(inputs, [outputs, inputs]),
        )

    def test_for_another_shape_or_dtype_of_inputs(self):
        self.check_differ(
            around(ops.abs, (4,)),
            around(ops.abs, (5,)),
            around(ops.abs, (None,)),
            around(ops.abs, (4, 1)),
            around(ops.abs, (4,), "float16"),
            around(ops.abs, (4,), "int32"),
        )

    def test_for_another_dtype_policy(self):
        policies = (
            "float32",
            "float16",
            "bfloat16",
            "float64",
            "mixed_float16",
            "mixed_bfloat16",
        )
        self.check_differ(
            *(
                around(layers.Dense(2, kernel_initializer="ones", dtype=policy))
                for policy in policies
            )
        )


class SmallModelTest(parameterized.TestCase):
    def test_is_equal_for_equal_models_whatever_their_names(self):
        one, other = small_model(), small_model()
        self.assertNotEqual(one.layers[1].name, other.layers[1].name)
        other.layers[1].trainable = False
        self.assertEqual(fingerprint(one), fingerprint(other))

    @parameterized.parameters(
        {"filters": 4},
        {"strides": 2},
        {"factor": 2.5},
        {"size": 9},
        {"dtype": "mixed_bfloat16"},
        {"swap": True},
    )
    def test_differs_for_another_model(self, **changed):
        self.assertNotEqual(
            fingerprint(small_model()), fingerprint(small_model(**changed))
        )


if __name__ == "__main__":
    absltest.main()
