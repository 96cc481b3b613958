import keras
from absl.testing import absltest

from tl_keras.tuning import groups


def small_model():
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(4, 3, name="conv1")(inputs)
    hidden = keras.layers.BatchNormalization(name="norm1")(hidden)
    hidden = keras.layers.Dropout(0.5, name="drop1")(hidden)
    hidden = keras.layers.Conv2D(4, 3, name="conv2")(hidden)
    hidden = keras.layers.GlobalAveragePooling2D(name="pool")(hidden)
    return keras.Model(inputs, keras.layers.Dense(2, name="end")(hidden))


def names_of(resolved):
    return {
        group: [member.operation.name for member in members]
        for group, members in resolved.members.items()
    }


class ResolveTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.model = small_model()
        self.groups = {
            "stem": ["conv1", "norm1"],
            "top": ["conv2"],
            "head": ["end"],
        }

    def test_layers_without_weights_follow_their_producers(self):
        self.assertEqual(
            names_of(groups.resolve(self.model, self.groups)),
            {
                "stem": ["conv1", "norm1", "drop1"],
                "top": ["conv2", "pool"],
                "head": ["end"],
            },
        )

    def test_takes_layers_as_objects(self):
        as_objects = {
            group: [self.model.get_layer(name) for name in layers]
            for group, layers in self.groups.items()
        }
        self.assertEqual(
            names_of(groups.resolve(self.model, as_objects)),
            names_of(groups.resolve(self.model, self.groups)),
        )

    def test_a_nested_model_stands_for_its_layers(self):
        inputs = keras.Input((8, 8, 3))
        inner = keras.Model(
            self.model.inputs, self.model.get_layer("pool").output, name="base"
        )
        outer = keras.Model(
            inputs, keras.layers.Dense(2, name="new")(inner(inputs))
        )
        resolved = groups.resolve(outer, {"base": [inner], "head": ["new"]})
        self.assertEqual(
            names_of(resolved)["base"],
            ["conv1", "norm1", "drop1", "conv2", "pool"],
        )

    def test_without_groups_all_layers_are_one(self):
        self.assertEqual(groups.resolve(self.model).names, ("model",))

    def test_names_the_layers_that_no_group_covers(self):
        del self.groups["top"]
        with self.assertRaisesRegex(ValueError, r"Not covered: \['conv2'\]"):
            groups.resolve(self.model, self.groups)

    def test_names_an_unknown_layer(self):
        self.groups["top"] = ["conv9"]
        with self.assertRaisesRegex(ValueError, "'conv9'.*'conv2'"):
            groups.resolve(self.model, self.groups)

    def test_names_a_layer_in_two_groups(self):
        self.groups["top"] = ["conv2", "conv1"]
        with self.assertRaisesRegex(ValueError, "'conv1' is in two groups"):
            groups.resolve(self.model, self.groups)

    def test_names_a_layer_of_another_model(self):
        self.groups["top"] = ["conv2", keras.layers.Dense(1, name="stray")]
        with self.assertRaisesRegex(ValueError, "not part of.*stray"):
            groups.resolve(self.model, self.groups)

    def test_groups_out_of_order_are_refused(self):
        swapped = {
            "top": ["conv2"],
            "stem": ["conv1", "norm1"],
            "head": ["end"],
        }
        with self.assertRaisesRegex(ValueError, "'conv2'.*'stem'"):
            groups.resolve(self.model, swapped)


if __name__ == "__main__":
    absltest.main()
