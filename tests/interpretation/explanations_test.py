"""Tests of an explanation with its checks, for models of every kind."""

import encoders_for_tests
import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.interpretation import explanations
from tl_keras.interpretation import requests
from tl_keras.interpretation import sanity


class ExplainTest(parameterized.TestCase):
    def model(self, name):
        folder = self.create_tempdir().full_path
        encoder = encoders_for_tests.MAKERS[name](folder)
        head = tl_keras.heads.Classifier(num_classes=3)
        return tl_keras.build(encoder, head)

    @parameterized.parameters(
        ("file_with_card", "grad_cam"),
        ("preset_images", "grad_cam"),
        ("hub_images", "occlusion"),
    )
    def test_chooses_a_method_that_suits_the_model(self, name, method):
        if name not in encoders_for_tests.MAKERS:
            self.skipTest("keras_hub is not installed.")
        model = self.model(name)
        spec = encoders_for_tests.input_spec_of(model)
        images = encoders_for_tests.inputs(spec, 2).numpy()
        found = explanations.explain(model, images, check=False)
        self.assertEqual([one.method for one in found], [method] * 2)
        for one, logits in zip(found, model(images).numpy(), strict=True):
            self.assertEqual(one.map.shape, spec.shape[:2])
            self.assertEqual(one.predicted, logits.argmax())
            expected = np.exp(logits) / np.exp(logits).sum()
            self.assertAlmostEqual(
                one.probability, float(expected.max()), places=5
            )

    def test_texts_come_with_their_checks(self):
        model = self.model("hub_texts")
        [found] = explanations.explain(
            model, ["a very good film"], "occlusion", classes=2
        )
        self.assertLen(found.tokens, 4)
        self.assertIsInstance(found.checks, sanity.Checks)
        # From all words to none, and back.
        self.assertAlmostEqual(found.checks.deletion[0], found.probability, 5)
        self.assertEqual(found.checks.insertion[-1], found.checks.deletion[0])
        self.assertEqual(found.checks.insertion[0], found.checks.deletion[-1])

    def test_the_names_of_a_request_are_those_of_the_methods(self):
        self.assertEqual(
            list(explanations.IMAGE_METHODS), list(requests.METHODS)
        )

    def test_sound_is_refused_with_what_is_left(self):
        model = self.model("hub_clips")
        with self.assertRaisesRegex(ValueError, "nearest_neighbours"):
            explanations.explain(model, np.zeros((1, 240)))

    def test_an_unknown_method_gets_the_list(self):
        layers = [keras.Input((4, 4, 3)), keras.layers.Flatten()]
        model = keras.Sequential([*layers, keras.layers.Dense(2)])
        with self.assertRaisesRegex(ValueError, "Did you mean 'grad_cam'"):
            explanations.explain(model, np.zeros((1, 4, 4, 3)), "gradcam")


if __name__ == "__main__":
    absltest.main()
