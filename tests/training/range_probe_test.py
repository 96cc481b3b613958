import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import cards
from tl_keras import input_specs
from tl_keras.training import range_probe

RNG = np.random.default_rng(0)
PHOTO = np.clip(RNG.normal(110, 60, (4, 16, 16, 3)), 0, 255)


def model_with(scale, offset, trained_range, preprocessing=True):
    """A model of which only the preprocessing matters."""
    inputs = keras.Input((16, 16, 3))
    scaled = keras.layers.Rescaling(scale, offset, name="scaled")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(scaled)
    model = keras.Model(inputs, keras.layers.Dense(2, name="end")(pooled))
    cards.attach(
        model,
        cards.Card(
            encoder="test",
            groups={"head": ("end",)},
            preprocessing_output="scaled" if preprocessing else None,
            trained_range=trained_range,
            input_spec=input_specs.ImageSpec(size=16),
            num_classes=2,
        ),
    )
    return model


def tf_model():
    return model_with(1 / 127.5, -1.0, (-1.0, 1.0))


UNUSUAL_BUT_RIGHT = {
    "uint8 photo": PHOTO.astype("uint8"),
    "float photo": PHOTO.round(),
    "photo after bilinear resize": PHOTO,
    "dark photo": PHOTO / 20,
    "very dark photo": PHOTO / 100,
    "bright photo": 255 - PHOTO / 20,
    "black": np.zeros((4, 16, 16, 3)),
    "white": np.full((4, 16, 16, 3), 255.0),
    "flat grey": np.full((4, 16, 16, 3), 128.0),
    "uint8 zeros and ones": RNG.integers(0, 2, (4, 16, 16, 3), "uint8"),
    "float zeros and ones": RNG.integers(0, 2, (4, 16, 16, 3)).astype(float),
    "digits 0..16": RNG.integers(0, 17, (4, 16, 16, 3)).astype("float32"),
    "labels 0..10": RNG.integers(0, 11, (4, 16, 16, 3), "int64"),
    "black and white": RNG.integers(0, 2, (4, 16, 16, 3)) * 255.0,
    "low contrast": 120 + PHOTO / 50,
    "one red channel": PHOTO * [1.0, 0.0, 0.0],
    "mostly black with a bright spot": np.where(PHOTO > 250, PHOTO, 0.0),
    "uniform noise": RNG.uniform(0, 255, (4, 16, 16, 3)),
    "overshoot of a cubic resize": np.clip(PHOTO * 1.06 - 8, -8, 263),
    "one example": PHOTO[:1],
    "float16 photo": PHOTO.astype("float16"),
    "inverted photo": 255.0 - PHOTO,
}

WRONG = {
    "divided by 255": (PHOTO / 255, "scaled already, to 0..1"),
    "scaled to -1..1": (PHOTO / 127.5 - 1, "preprocessed already"),
    "standardised": ((PHOTO - 110) / 60, "preprocessed already"),
    "mean subtracted": (PHOTO - 120, "preprocessed already"),
    "dark photo divided by 255": (PHOTO / 20 / 255, "scaled already"),
    "sixteen bits": (PHOTO * 257, "more than 8 bits"),
    "NaN": (np.where(PHOTO > 250, np.nan, PHOTO), "NaN or infinite"),
}


class ProbeTest(parameterized.TestCase):
    @parameterized.named_parameters(
        (name.replace(" ", "_"), name) for name in UNUSUAL_BUT_RIGHT
    )
    def test_lets_pass(self, name):
        images = UNUSUAL_BUT_RIGHT[name]
        for model in (tf_model(), model_with(1.0, 0.0, (0, 255), False)):
            range_probe.probe(model, images)

    @parameterized.named_parameters(
        (name.replace(" ", "_"), name) for name in WRONG
    )
    def test_stops(self, name):
        images, words = WRONG[name]
        for model in (tf_model(), model_with(1.0, 0.0, (0, 255), False)):
            with self.assertRaisesRegex(ValueError, words):
                range_probe.probe(model, images)

    def test_stops_when_preprocessing_is_missing(self):
        model = model_with(1.0, 0.0, (-1.0, 1.0))
        with self.assertRaisesRegex(ValueError, "missing or wrong.*-1 to 1"):
            range_probe.probe(model, PHOTO)

    def test_stops_at_the_preprocessing_of_another_convention(self):
        model = model_with(1.0, -110.0, (-1.0, 1.0))
        with self.assertRaisesRegex(ValueError, "missing or wrong"):
            range_probe.probe(model, PHOTO)

    def test_stops_when_the_model_scales_twice(self):
        model = model_with(1 / 255 / 255, 0.0, (0.0, 1.0))
        with self.assertRaisesRegex(ValueError, "done twice"):
            range_probe.probe(model, PHOTO)

    def test_warns_or_keeps_quiet_when_told_so(self):
        with self.assertWarnsRegex(UserWarning, "scaled already"):
            range_probe.probe(tf_model(), PHOTO / 255, "warn")
        range_probe.probe(tf_model(), PHOTO / 255, "off")
        with self.assertRaisesRegex(ValueError, "range_probe"):
            range_probe.probe(tf_model(), PHOTO, "of")


if __name__ == "__main__":
    absltest.main()
