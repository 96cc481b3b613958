"""Tests of integrated gradients, against what follows from their axioms."""

import keras
import modules_for_tests
import numpy as np
from absl.testing import absltest

import tl_keras
from tl_keras.interpretation import integrated_gradients

SHAPE = (4, 4, 3)


def images(count=2):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, *SHAPE)).astype(np.float32)


def linear_model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input(SHAPE), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential(layers)


def curved_model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input(SHAPE), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(4, 3, activation="tanh")]
    layers += [keras.layers.Flatten(), keras.layers.Dense(8, "gelu")]
    return keras.Sequential([*layers, keras.layers.Dense(3, "softmax")])


class IntegratedGradientsTest(absltest.TestCase):
    def test_of_a_linear_model_is_weight_times_difference(self):
        model, batch = linear_model(), images()
        kernel = model.get_weights()[0][:, 1].reshape(SHAPE)
        found = integrated_gradients.integrated_gradients(
            model, batch, classes=1, baseline=100.0, steps=1
        )
        np.testing.assert_allclose(
            found, (batch - 100) * kernel / 255, rtol=1e-4, atol=1e-5
        )

    def test_sums_to_the_difference_of_the_logits(self):
        model, batch = curved_model(), images()
        baseline = np.full(SHAPE, 127.5, np.float32)
        found = integrated_gradients.integrated_gradients(
            model, batch, classes=2, baseline=baseline, steps=30
        )
        # log p differs from the logit by the same number for all classes, so
        # differences of classes are those of logits.
        logs = np.log(model(np.stack([*batch, baseline])).numpy())
        others = integrated_gradients.integrated_gradients(
            model, batch, classes=0, baseline=baseline, steps=30
        )
        expected = (logs[:2] - logs[2:])[:, 2] - (logs[:2] - logs[2:])[:, 0]
        np.testing.assert_allclose(
            (found - others).sum(axis=(1, 2, 3)), expected, atol=1e-4
        )

    def test_tells_how_far_from_complete_it_is(self):
        model, batch = curved_model(), images()
        options = {"classes": 1, "baseline": 0.0}
        gaps = [
            integrated_gradients.completeness_gap(
                model,
                batch,
                integrated_gradients.integrated_gradients(
                    model, batch, steps=steps, **options
                ),
                **options,
            ).max()
            for steps in (1, 40)
        ]
        self.assertGreater(gaps[0], 1e-3)
        self.assertLess(gaps[1], 1e-4)

    def test_of_a_module_needs_its_gradient_only(self):
        folder = self.create_tempdir().full_path
        module = modules_for_tests.image_module(f"{folder}/images")
        model = tl_keras.build(
            tl_keras.encoders.load(f"hub:{module}"),
            tl_keras.heads.Classifier(num_classes=2),
        )
        batch = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3))
        found = integrated_gradients.integrated_gradients(model, batch)
        gaps = integrated_gradients.completeness_gap(model, batch, found)
        self.assertLess(gaps.max(), 0.01)

    def test_a_model_without_a_gradient_is_refused(self):
        pixels = keras.Input(SHAPE)
        rounded = keras.ops.cast(keras.ops.cast(pixels, "int32"), "float32")
        hidden = keras.layers.Flatten()(rounded)
        model = keras.Model(pixels, keras.layers.Dense(2)(hidden))
        with self.assertRaisesRegex(ValueError, "no gradient.*'occlusion'"):
            integrated_gradients.integrated_gradients(model, images())

    def test_a_baseline_of_another_shape_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`baseline` does not fit"):
            integrated_gradients.integrated_gradients(
                linear_model(), images(), baseline=np.zeros((2, 2, 3))
            )


if __name__ == "__main__":
    absltest.main()
