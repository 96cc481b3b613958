"""Tests of the encoder value: what it accepts and what it refuses."""

import keras
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import input_specs
from tl_keras.encoders import Encoder


def _fields(**changed):
    """An encoder's fields: 8x8 pixels -> scale -> conv -> norm -> relu."""
    pixels = keras.Input((8, 8, 3), name="pixels")
    values = keras.layers.Rescaling(1 / 255, name="scale")(pixels)
    values = keras.layers.Conv2D(5, 3, name="conv")(values)
    values = keras.layers.BatchNormalization(name="norm")(values)
    fields = {
        "name": "mine",
        "model": keras.Model(pixels, keras.layers.ReLU(name="relu")(values)),
        "groups": {"stem": ["conv"], "top": ["norm"]},
        "preprocessing": "custom",
        "preprocessing_output": "scale",
        "trained_range": (0, 1),
        "input_spec": input_specs.ImageSpec(size=8),
        "min_image_size": 3,
    }
    return {**fields, **changed}


class EncoderTest(parameterized.TestCase):
    def test_keeps_groups_as_tuples_in_the_given_order(self):
        encoder = Encoder(**_fields())
        self.assertEqual(encoder.groups, {"stem": ("conv",), "top": ("norm",)})
        self.assertEqual(list(encoder.groups), ["stem", "top"])

    def test_feature_width_is_the_number_of_filters(self):
        self.assertEqual(Encoder(**_fields()).feature_width, 5)

    @parameterized.parameters(
        ({"stem": ["conv"]}, "in no group: norm"),
        ({"stem": ["conv"], "top": ["norm", "conv"]}, "than once: conv"),
        ({"stem": ["conv"], "top": ["norm", "relu"]}, "without weights: relu"),
        ({"a": ["conv"], "b": ["norm", "nrm"]}, "'nrm'.*mean 'norm'"),
        ({"stem": ["conv", "norm"], "top": []}, "'top' is empty"),
        ({"head": ["conv", "norm"]}, "cannot be named 'head'"),
        ({}, "`groups` is empty"),
        ({"top": ["norm"], "stem": ["conv"]}, "'norm'.*later group 'stem'"),
    )
    def test_refuses_groups_that_do_not_partition_in_order(self, groups, why):
        with self.assertRaisesRegex(ValueError, why):
            Encoder(**_fields(groups=groups))

    @parameterized.parameters(
        (
            {"input_spec": input_specs.ImageSpec(size=9)},
            r"shape \(None, 8, 8, 3\).*\(None, 9, 9, 3\)",
        ),
        (
            {"input_spec": input_specs.ImageSpec(size=8, channels=1)},
            r"\(None, 8, 8, 3\).*\(None, 8, 8, 1\)",
        ),
        ({"input_spec": input_specs.TextSpec()}, "float32.*string of shape"),
        ({"input_spec": input_specs.ImageSpec(size=2)}, "Expected at least 3"),
        ({"preprocessing": "pytorch"}, "'pytorch'.*mean 'torch'"),
        ({"preprocessing_output": "scael"}, "mean 'scale'"),
        ({"trained_range": (1.0, 0.0)}, r"trained_range\[1\]"),
    )
    def test_refuses_fields_that_do_not_fit_the_model(self, changed, why):
        with self.assertRaisesRegex(ValueError, why):
            Encoder(**_fields(**changed))

    def test_refuses_a_model_of_another_form_and_says_what_to_write(self):
        layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3)]
        sequential = keras.Sequential(layers)
        with self.assertRaisesRegex(ValueError, r"a Sequential.*model\.inputs"):
            Encoder(**_fields(model=sequential))

    def test_refuses_a_uint8_input_which_would_cut_off_fractions(self):
        pixels = keras.Input((8, 8, 3), dtype="uint8")
        values = keras.layers.Rescaling(1 / 255, name="scale")(pixels)
        features = keras.layers.Conv2D(5, 3, name="conv")(values)
        model = keras.Model(pixels, features)
        with self.assertRaisesRegex(ValueError, "Got: uint8.*float32"):
            Encoder(**_fields(model=model, groups={"stem": ["conv"]}))


if __name__ == "__main__":
    absltest.main()
