"""What a part of a model computes has one fingerprint, and no other part."""

import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import graph
from tl_keras.training import graph_fingerprint


def model(*, filters=3, strides=1, factor=2.0, size=8, dtype=None, swap=False):
    inputs = keras.Input((size, size, 3))
    hidden = keras.layers.Conv2D(filters, 3, strides=strides, dtype=dtype)(
        inputs
    )
    hidden = keras.layers.BatchNormalization(dtype=dtype)(hidden)
    hidden = keras.layers.Dropout(0.5)(hidden * factor)
    sides = [keras.ops.relu(hidden), hidden]
    if swap:
        sides = sides[::-1]
    made = keras.Model(inputs, keras.layers.Subtract()(sides))
    rng = np.random.default_rng(0)
    for weight in made.weights:
        if weight.name != "seed_generator_state":
            weight.assign(rng.normal(size=weight.shape))
    return made


def fingerprint(made):
    return graph_fingerprint.of(graph.flat(made))


class GraphFingerprintTest(parameterized.TestCase):
    def test_is_equal_for_equal_models_whatever_their_names(self):
        one, other = model(), model()
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
        self.assertNotEqual(fingerprint(model()), fingerprint(model(**changed)))

    def test_differs_for_the_next_float_in_any_weight(self):
        made = model()
        before = fingerprint(made)
        for weight in made.weights:
            if weight.name == "seed_generator_state":
                continue
            value = weight.numpy()
            changed = value.copy()
            changed.flat[-1] = np.nextafter(changed.flat[-1], np.float32(9))
            weight.assign(changed)
            self.assertNotEqual(fingerprint(made), before, weight.path)
            weight.assign(value)
        self.assertEqual(fingerprint(made), before)


if __name__ == "__main__":
    absltest.main()
