"""HubEncoder in Keras 3 beside hub.KerasLayer in Keras 2, bit for bit."""

import os
import tempfile
import unittest

import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.encoders import HubEncoder

try:
    import tensorflow_hub
    import tf_keras
except ImportError as error:
    tensorflow_hub, why = None, str(error)
else:
    why = ""

REAL = modules_for_tests.DATA / "hub" / "mobilenet_v2_035_224_feature_vector"
STEPS = 5


@unittest.skipIf(tensorflow_hub is None, f"no tensorflow_hub: {why}")
class ReferenceTest(parameterized.TestCase):
    @parameterized.parameters(True, False)
    def test_five_steps_are_those_of_keras_2(self, trainable):
        with tempfile.TemporaryDirectory() as folder:
            module = modules_for_tests.image_module(f"{folder}/module")
            self._compare(module, 8, trainable)

    @parameterized.parameters(True, False)
    def test_five_steps_of_a_real_network_are_too(self, trainable):
        if not REAL.is_dir():
            self.skipTest(f"no real module in {REAL} (TL_KERAS_DATA)")
        self._compare(os.fspath(REAL), 224, trainable)

    def _compare(self, module, size, trainable):
        rng = np.random.default_rng(0)
        images = rng.uniform(size=(STEPS, 8, size, size, 3)).astype("float32")
        labels = rng.integers(0, 3, (STEPS, 8))
        ours = _Trained(keras, HubEncoder(module, trainable), size)
        theirs = _Trained(
            tf_keras, tensorflow_hub.KerasLayer(module, trainable), size
        )
        theirs.model.layers[-1].set_weights(ours.model.layers[-1].get_weights())
        for step in range(STEPS):
            ours.step(images[step], labels[step])
            theirs.step(images[step], labels[step])
        compared = {
            "losses": (ours.losses, theirs.losses),
            "gradients": (ours.gradients, theirs.gradients),
            "weights and statistics": (ours.weights(), theirs.weights()),
            "predictions": (
                [ours.model(images[0], training=False).numpy()],
                [theirs.model(images[0], training=False).numpy()],
            ),
        }
        for what, (one, other) in compared.items():
            self.assertLen(one, len(other))
            equal = sum(map(np.array_equal, one, other))
            print(
                f"{os.path.basename(module)}, trainable={trainable}: "
                f"{equal} of {len(one)} {what} equal to the bit"
            )
            self.assertEqual(equal, len(one), what)
        self.assertGreater(len(set(map(float, ours.losses))), 1)


class _Trained:
    """A model around a module in either Keras, and what its training gave."""

    def __init__(self, library, layer, size):
        images = library.Input((size, size, 3))
        logits = library.layers.Dense(3)(layer(images))
        self.model = library.Model(images, logits)
        self.layer = layer
        self.losses, self.gradients = [], []

    def step(self, images, labels):
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
            loss = tf.add_n([loss, *self.model.losses])
        variables = self._by_name(self.model.trainable_variables)
        gradients = tape.gradient(loss, variables)
        for gradient, variable in zip(gradients, variables, strict=True):
            variable.assign_sub(0.05 * tf.convert_to_tensor(gradient))
        self.losses.append(loss.numpy())
        self.gradients += [tf.convert_to_tensor(g).numpy() for g in gradients]

    def weights(self):
        variables = self._by_name(self.model.variables)
        return [variable.numpy() for variable in variables]

    def _by_name(self, variables):
        """The TensorFlow variables, in an order that both share."""
        values = [
            v.value if isinstance(v, keras.Variable) else v for v in variables
        ]
        return sorted(values, key=lambda v: (tuple(v.shape), v.name))


if __name__ == "__main__":
    absltest.main()
