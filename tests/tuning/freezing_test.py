import keras
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.tuning import freezing
from tl_keras.tuning import groups
from tl_keras.tuning.phases import Phase


def resolved(**frozen):
    """Two convolutions, one normalised, and a head."""
    layers = {
        "conv1": keras.layers.Conv2D(8, 3),
        "norm": keras.layers.BatchNormalization(),
        "drop": keras.layers.Dropout(0.5),
        "conv2": keras.layers.Conv2D(8, 3),
        "pool": keras.layers.GlobalAveragePooling2D(),
        "end": keras.layers.Dense(2),
    }
    for name, layer in layers.items():
        layer.name = name
        layer.trainable = not frozen.get(name, False)
    model = keras.Sequential([keras.Input((9, 9, 3)), *layers.values()])
    named = {"stem": ["conv1", "norm"], "top": ["conv2"], "head": ["end"]}
    return groups.resolve(model, named)


class ChooseTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"train": "head"}, {}, "end", "end end"),
        (
            {},
            {},
            "conv1 norm drop conv2 pool end",
            "conv1 conv1 norm norm conv2 conv2 end end",
        ),
        (
            {"batch_norm": "inference"},
            {},
            "conv1 drop conv2 pool end",
            "conv1 conv1 conv2 conv2 end end",
        ),
        (
            {},
            {"conv1": True},
            "norm drop conv2 pool end",
            "norm norm conv2 conv2 end end",
        ),
        (
            {"train": "last 1", "lora_rank": 2},
            {},
            "conv2 pool end",
            "conv2 end end",
        ),
        # Of rank 7 an adapter of 27 x 8 is larger than the kernel.
        (
            {"lora_rank": 7},
            {},
            "conv1 drop conv2 pool end",
            "conv2 end end",
        ),
    )
    def test_operations_and_weights(self, fields, frozen, operations, weights):
        trained = freezing.choose(Phase(name="a", **fields), resolved(**frozen))
        self.assertEqual(
            [operation.name for operation in trained.operations],
            operations.split(),
        )
        self.assertEqual(
            [weight.path.split("/")[-2] for weight in trained.weights],
            weights.split(),
        )

    def test_of_the_encoder_kernels_are_adapted_and_of_the_head_none(self):
        phase = Phase(name="a", lora_rank=2)
        adapted = freezing.choose(phase, resolved()).adapted
        self.assertEqual(
            [weight.path.split("/")[-2:] for weight in adapted],
            [["conv1", "kernel"], ["conv2", "kernel"]],
        )
        phase = Phase(name="a")
        self.assertEmpty(freezing.choose(phase, resolved()).adapted)

    def test_says_that_nothing_trains(self):
        with self.assertRaisesRegex(ValueError, "Nothing trains in phase 'a'"):
            freezing.choose(Phase(name="a", train="head"), resolved(end=True))


if __name__ == "__main__":
    absltest.main()
