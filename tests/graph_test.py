import keras
import numpy as np
from absl.testing import absltest

from tl_keras import graph


def branched_model():
    inputs = keras.Input((4,))
    left = keras.layers.Dense(3, name="left")(inputs)
    right = keras.layers.Dense(3, name="right")(inputs)
    both = keras.layers.Add(name="both")([left, right])
    return keras.Model(inputs, keras.layers.Dense(2, name="end")(both))


def nested_model():
    inputs = keras.Input((4,))
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, name="deep")], name="inner"
    )
    end = keras.layers.Dense(2, name="end")(inner(inputs))
    return keras.Model(inputs, end)


class GraphTest(absltest.TestCase):
    def test_operations_come_after_their_producers(self):
        seen = set()
        for operation, producers in graph.operations(branched_model()):
            self.assertLessEqual({p.name for p in producers}, seen)
            seen.add(operation.name)
        self.assertEqual(seen, {"left", "right", "both", "end"})

    def test_an_addition_has_both_branches_as_producers(self):
        producers = {
            operation.name: sorted(p.name for p in by)
            for operation, by in graph.operations(branched_model())
        }
        self.assertEqual(producers["both"], ["left", "right"])

    def test_nested_models_are_opened(self):
        producers = {
            operation.name: [p.name for p in by]
            for operation, by in graph.operations(nested_model())
        }
        self.assertEqual(producers, {"deep": [], "end": ["deep"]})

    def test_a_walk_that_changes_nothing_gives_the_models_answer(self):
        model = branched_model()
        images = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
        walked = graph.run(model, images, lambda op, *a, **k: op(*a, **k))
        np.testing.assert_array_equal(walked, model(images))

    def test_a_subclassed_model_is_refused_with_what_to_do(self):
        class Subclassed(keras.Model):
            def call(self, inputs):
                return inputs

        with self.assertRaisesRegex(TypeError, "Subclassed.*Make it Func"):
            graph.operations(Subclassed())


if __name__ == "__main__":
    absltest.main()
