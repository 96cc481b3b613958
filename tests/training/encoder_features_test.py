"""Tests of the features of examples, computed once and kept."""

from unittest import mock

import keras
import numpy as np
from absl.testing import absltest

import tl_keras
from tl_keras import plans
from tl_keras.training import encoder_features
from tl_keras.training import prefix_pass
from tl_keras.training import prefix_settings


def tiny_model(num_classes):
    return tl_keras.build(
        tl_keras.encoders.load("tiny", 16),
        tl_keras.heads.Classifier(num_classes=num_classes),
    )


class EncoderFeaturesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.settings = prefix_settings.PrefixCache(
            folder=self.create_tempdir().full_path, mode="always"
        )
        self.data = tl_keras.data.load(
            "digits", image_size=16, train_examples=60, batch_size=20
        )
        self.model = tiny_model(self.data.num_classes)

    def features(self, split="train"):
        return encoder_features.encoder_features(
            self.model, self.data, split, settings=self.settings
        )

    def passes(self):
        """How many batches the encoder computes from here on."""
        computed = mock.Mock(side_effect=prefix_pass.Beginning.run)

        def run(beginning, inputs):
            return computed(beginning, inputs)

        self.enter_context(mock.patch.object(prefix_pass.Beginning, "run", run))
        return computed

    def test_are_what_the_encoder_gives_averaged_over_places(self):
        encoder = keras.Model(
            self.model.inputs, self.model.get_layer("stage3_relu2").output
        )
        batches = [
            images for images, _ in self.data.evaluation_batches("train")
        ]
        expected = np.concatenate([encoder(b.numpy()) for b in batches])
        np.testing.assert_allclose(
            self.features(), expected.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5
        )

    def test_are_read_the_second_time(self):
        first = self.features()
        computed = self.passes()
        np.testing.assert_array_equal(self.features(), first)
        computed.assert_not_called()

    def test_are_there_after_a_head_was_trained(self):
        tl_keras.fit(
            self.model,
            self.data,
            plans.linear_probe(epochs=1),
            prefix_cache=self.settings,
            verbose=0,
        )
        computed = self.passes()
        self.assertEqual(self.features().shape, (60, 128))
        computed.assert_not_called()

    def test_of_loose_inputs_are_the_same(self):
        images = next(iter(self.data.evaluation_batches("train")))[0].numpy()
        np.testing.assert_allclose(
            encoder_features.features_of(self.model, images, batch_size=7),
            self.features()[: len(images)],
            rtol=1e-4,
            atol=1e-5,
        )

    def test_of_a_model_made_elsewhere_are_what_its_last_layer_reads(self):
        pixels = keras.Input((16, 16, 3))
        hidden = keras.layers.Flatten()(
            keras.layers.AveragePooling2D(8)(pixels)
        )
        model = keras.Model(pixels, keras.layers.Dense(2)(hidden))
        images = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3))
        np.testing.assert_allclose(
            encoder_features.features_of(model, images),
            images.reshape(3, 2, 8, 2, 8, 3).mean(axis=(2, 4)).reshape(3, -1),
            rtol=1e-5,
        )


if __name__ == "__main__":
    absltest.main()
