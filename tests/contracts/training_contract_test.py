"""What training, saving and exporting promise, for one model a family.

Random weights and the smallest images: the promises do not depend on what
the weights are. A new family of encoders adds a line to `FAMILIES`.
"""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import cards
from tl_keras.tuning.phases import Phase

FAMILIES = (
    ("ConvNeXtTiny", 32, {}),
    ("DenseNet121", 32, {}),
    ("EfficientNetB0", 32, {}),
    ("EfficientNetV2B0", 32, {}),
    ("InceptionResNetV2", 75, {}),
    ("InceptionV3", 75, {}),
    ("MobileNet", 32, {"alpha": 0.25}),
    ("MobileNetV2", 32, {"alpha": 0.35}),
    ("MobileNetV3Small", 32, {"alpha": 0.75}),
    ("NASNetMobile", 32, {}),
    ("ResNet50", 32, {}),
    ("ResNet50V2", 32, {}),
    ("VGG16", 32, {}),
    ("Xception", 71, {}),
    ("tiny", 16, {}),
)


class TrainingContractTest(parameterized.TestCase):
    @parameterized.named_parameters(
        (name, name, size, options) for name, size, options in FAMILIES
    )
    def test_frozen_stays_and_copies_answer_alike(self, name, size, options):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (8, size, size, 3), "uint8")
        data = tl_keras.data.from_arrays(
            train=(images, [0, 1] * 4), validation=False, batch_size=4
        )
        encoder = tl_keras.encoders.load(name, size, None, **options)
        head = tl_keras.heads.Classifier(num_classes=2)
        model = tl_keras.build(encoder, head)
        before = _weights(model)
        phase = Phase(name="top", train="last 1", learning_rate=0.1)
        trained = set(phase.groups([*encoder.groups, "head"]))
        result = tl_keras.fit(model, data, phase, verbose=0)
        self.assertEqual(set(result.phases[0].groups), trained)

        after = _weights(model)
        layers = {
            group: set(names)
            for group, names in cards.of(model).groups.items()
        }
        changed = {
            layer
            for layer, values in before.items()
            if not all(map(np.array_equal, values, after[layer]))
        }
        frozen = set().union(
            *(names for group, names in layers.items() if group not in trained)
        )
        self.assertEmpty(changed & frozen)
        for group in trained:
            self.assertNotEmpty(changed & layers[group], group)

        answer = np.asarray(model(images, training=False))
        with tempfile.TemporaryDirectory() as folder:
            path = tl_keras.save(model, os.path.join(folder, "m.keras"))
            np.testing.assert_array_equal(
                keras.models.load_model(path)(images, training=False), answer
            )
            exported = tl_keras.serving.export(model, folder)
            served = tf.saved_model.load(str(exported)).signatures[
                "serving_default"
            ](images=tf.constant(images))
        np.testing.assert_allclose(
            served["probabilities"],
            keras.ops.softmax(answer),
            rtol=1e-4,
            atol=1e-6,
        )


def _weights(model):
    return {layer.name: layer.get_weights() for layer in model.layers}


if __name__ == "__main__":
    absltest.main()
