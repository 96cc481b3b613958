import keras
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.tuning import groups as layer_groups
from tl_keras.tuning import phases
from tl_keras.tuning import pruning

Phase = phases.Phase


def model_of(*layers):
    return keras.Sequential([keras.Input((16, 16, 4)), *layers])


def images_model():
    return model_of(
        keras.layers.Conv2D(8, 3, name="conv"),
        keras.layers.DepthwiseConv2D(3, name="thin"),
        keras.layers.Conv2D(8, 3, groups=8, name="thin_groups"),
        keras.layers.Conv2D(8, 3, groups=2, name="two_groups"),
        keras.layers.SeparableConv2D(6, 3, name="separable"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3, name="end"),
    )


def names(masked):
    return ["/".join(w.path.split("/")[-2:]) for w in masked.kernels]


class MaskedTest(parameterized.TestCase):
    def groups(self):
        self.model = images_model()
        body = [layer.name for layer in self.model.layers if layer.weights]
        return layer_groups.resolve(
            self.model, {"body": body[:-1], "head": body[-1:]}
        )

    def test_are_kernels_that_are_not_depthwise(self):
        found = pruning.masked([Phase(name="a", pruning=0.5)], self.groups())
        self.assertEqual(
            names(found["a"]),
            [
                "conv/kernel",
                "two_groups/kernel",
                "separable/pointwise_kernel",
                "end/kernel",
            ],
        )

    def test_tables_of_embeddings_stay_dense(self):
        model = keras.Sequential(
            [
                keras.Input((5,), dtype="int32"),
                keras.layers.Embedding(9, 4),
                keras.layers.LSTM(3, name="cells"),
            ]
        )
        groups = layer_groups.resolve(model)
        found = pruning.masked([Phase(name="a", pruning=0.5)], groups)
        self.assertEqual(
            [w.name for w in found["a"].kernels], ["kernel", "recurrent_kernel"]
        )

    def test_are_of_groups_that_train(self):
        phase = Phase(name="a", train="head", pruning=0.5)
        found = pruning.masked([phase], self.groups())
        self.assertEqual(names(found["a"]), ["end/kernel"])

    def test_later_phases_mask_what_was_pruned_and_trains(self):
        plan = [
            Phase(name="before"),
            Phase(name="prunes", train="head", pruning=0.5),
            Phase(name="after"),
            Phase(name="elsewhere", train=("body",)),
        ]
        found = pruning.masked(plan, self.groups())
        self.assertEqual(
            [names(found[phase.name]) for phase in plan],
            [[], ["end/kernel"], ["end/kernel"], []],
        )
        self.assertEmpty(found["prunes"].earlier)
        self.assertLen(found["after"].earlier, 1)

    def test_nothing_to_prune_is_an_error(self):
        model = model_of(keras.layers.DepthwiseConv2D(3))
        with self.assertRaisesRegex(ValueError, "'a' finds nothing.*depthwise"):
            pruning.masked(
                [Phase(name="a", pruning=0.5)], layer_groups.resolve(model)
            )

    def test_adapters_of_what_was_pruned_are_an_error(self):
        plan = [
            Phase(name="a", pruning=0.5),
            Phase(name="b", lora_rank=1),
        ]
        with self.assertRaisesRegex(ValueError, "'b' moves by adapters.*conv"):
            pruning.masked(plan, self.groups())
        # The head is not adapted, wherefore it may have been pruned.
        plan[0] = Phase(name="a", train="head", pruning=0.5)
        self.assertEqual(
            names(pruning.masked(plan, self.groups())["b"]), ["end/kernel"]
        )


if __name__ == "__main__":
    absltest.main()
