"""What Keras still gets wrong, so that a remedy is still needed.

Each of these tests fails when a new version of Keras has mended something;
its message says what can go then.
"""

import json
import subprocess
import sys

import keras
import processes_for_tests
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import keras_internals

# Devices are set up before TensorFlow starts, hence a process of its own.
_SCRIPT = """
import json
import os
import sys
import tensorflow as tf
if "TF_CONFIG" not in os.environ:
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
import keras
import numpy as np

if "TF_CONFIG" in os.environ:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
else:
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def network(batch_norm=False):
    layers = [keras.layers.Dense(1, kernel_initializer="ones")]
    if batch_norm:
        layers.insert(0, keras.layers.BatchNormalization())
    return keras.Sequential([keras.Input((2,)), *layers])

def data(count, batch_size):
    rows = np.arange(2.0 * count, dtype="float32").reshape(count, 2)
    rows[count // 2 :] *= 100.0
    return tf.data.Dataset.from_tensor_slices(
        (rows, np.ones(count, "float32"))
    ).batch(batch_size)

def fitted(model, batches, optimizer=None, **options):
    model.compile(optimizer or keras.optimizers.SGD(1e-6), "mse", **options)
    model.fit(batches, verbose=0)
    return model

def strings():
    inputs = keras.Input((), dtype="string")
    words = keras.layers.TextVectorization(
        vocabulary=["a", "b"], output_sequence_length=2
    )
    rows = keras.layers.Embedding(5, 2)(words(inputs))
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(rows))
    batches = tf.data.Dataset.from_tensor_slices((["a", "b"], [0.0, 1.0]))
    fitted(keras.Model(inputs, outputs), batches.batch(2))

def uneven_first_batch():
    fitted(network(), data(3, 3))

def steps_per_execution():
    fitted(network(), data(8, 2), steps_per_execution=2)

def jit_compile():
    fitted(network(), data(8, 2), jit_compile=True)

def gradient_accumulation():
    optimizer = keras.optimizers.SGD(1e-6, gradient_accumulation_steps=2)
    fitted(network(), data(8, 2), optimizer)

def averaged_weights():
    optimizer = keras.optimizers.SGD(
        1e-6, use_ema=True, ema_overwrite_frequency=1
    )
    fitted(network(), data(8, 2), optimizer)

def empty_part():
    model = fitted(network(batch_norm=True), data(5, 4))
    assert np.isfinite(np.concatenate(
        [np.ravel(weight) for weight in model.get_weights()]
    )).all(), "NaN"

def clipping():
    # A gradient of norm above 1 on each half; clipped as a whole it is 1.
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    kernel, bias = fitted(network(), data(4, 4), optimizer).get_weights()
    step = np.append(kernel - 1.0, bias)
    assert abs(np.linalg.norm(step) - 1.0) < 1e-3, np.linalg.norm(step)

def plain():
    fitted(network(), data(8, 2))

found = {}
for name in sys.argv[1:]:
    try:
        with strategy.scope():
            globals()[name]()
        found[name] = ""
    except BaseException as error:
        found[name] = f"{type(error).__name__}: {error}"[:500]
print("FOUND", json.dumps(found))
"""

_STILL_WRONG = {
    "strings": "keras#21172; BuiltFromOnePart",
    "uneven_first_batch": "BuiltFromOnePart",
    "steps_per_execution": "keras#19246; training/train_function.py",
    "jit_compile": "keras#20763; jit_compile=False in phase_training.py",
    "gradient_accumulation": "keras#20582",
    "averaged_weights": "ema_overwrite_frequency",
    "empty_part": "keras#21467; stand-ins in data/parts.py",
    "clipping": "clipping by replica; SumsGradients",
}


def _found(names):
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *names],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if "FOUND" not in done.stdout:
        raise AssertionError(done.stderr[-3000:])
    return json.loads(done.stdout.split("FOUND")[1])


class StillWrongTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.found = _found([*_STILL_WRONG, "plain"])

    def test_what_should_work_works(self):
        self.assertEqual(self.found["plain"], "")

    @parameterized.parameters(*_STILL_WRONG)
    def test_is_still_wrong_under_two_replicas(self, name):
        self.assertNotEqual(
            self.found[name],
            "",
            f"Keras has mended {name} ({_STILL_WRONG[name]}): see whether the "
            "remedy can go.",
        )

    def test_fit_still_fails_on_workers(self):
        both = processes_for_tests.start(
            [sys.executable, "-c", _SCRIPT, "plain"],
            [
                {"TF_CONFIG": config}
                for config in processes_for_tests.tf_configs(2)
            ],
        )
        printed, _ = processes_for_tests.finish(both, 300.0)
        found = json.loads(printed.split("FOUND")[1].splitlines()[0])
        self.assertNotEqual(
            found["plain"],
            "",
            "Keras has mended `fit` under MultiWorkerMirroredStrategy "
            "(keras#20585): see whether TestFunction and _functions in "
            "training/train_function.py can go.",
        )


class NamesTest(absltest.TestCase):
    """The private names are there, and mean what they are taken for."""

    def test_a_graph_can_be_walked_and_run_with_other_operations(self):
        inputs = keras.Input((1,), name="x")
        layer = keras.layers.Dense(1, kernel_initializer="ones")
        model = keras.Model({"x": inputs}, {"y": layer(inputs)})
        self.assertIs(keras_internals.producer_of(model.outputs[0]), layer)
        self.assertTrue(keras_internals.is_functional(model))
        self.assertFalse(keras_internals.is_functional(layer))
        nodes = [n for n in keras_internals.nodes_of(model) if not n.is_input]
        self.assertEqual([node.operation for node in nodes], [layer])
        self.assertEqual(list(keras_internals.inputs_structure(model)), ["x"])
        self.assertEqual(list(keras_internals.outputs_structure(model)), ["y"])
        outputs = keras_internals.run_through_graph(
            model, {"x": keras.ops.ones((1, 1))}, lambda _: lambda x: 3.0 * x
        )
        self.assertEqual(float(outputs["y"][0, 0]), 3.0)

    def test_a_variable_and_the_loss_tracker_are_found(self):
        variable = keras.Variable([1.0])
        self.assertEqual(
            keras_internals.tensorflow_variable(variable).numpy().tolist(),
            [1.0],
        )
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        self.assertEqual(keras_internals.loss_tracker(model).name, "loss")
        self.assertIn(keras_internals.loss_tracker(model), model.metrics)

    def test_no_other_module_touches_them(self):
        names = (
            "_all_reduce_sum_gradients",
            "_distributed_container",
            "_flatten_layers",
            "_functional",
            "_inputs_struct",
            "_keras_history",
            "_keras_mask",
            "_loss_tracker",
            "_maybe_symbolic_build",
            "_nodes_by_depth",
            "_outputs_struct",
            "_run_through_graph",
            "_symbolic_build",
            "_var_key",
        )
        package = processes_for_tests.TESTS.parent / "tl_keras"
        for path in package.rglob("*.py"):
            if path.stem == "keras_internals":
                continue
            text = path.read_text()
            self.assertNotIn("keras.src", text, path)
            for name in names:
                self.assertNotRegex(text, rf"\b{name}\b", path)


if __name__ == "__main__":
    absltest.main()
