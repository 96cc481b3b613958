"""What training, saving, copying and exporting promise, for every encoder.

Random weights and the smallest inputs: the promises do not depend on what the
weights are. A new family of Applications adds a line to `APPLICATIONS`, any
other kind of encoder a function to `encoders_for_tests.MAKERS`.
"""

import functools
import os
import tempfile

import encoders_for_tests
import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import cards
from tl_keras import graph
from tl_keras.tuning.phases import Phase

APPLICATIONS = (
    ("MobileNet", 32, {"alpha": 0.25}),
    ("MobileNetV2", 32, {"alpha": 0.35}),
    ("MobileNetV3Small", 32, {"alpha": 0.75}),
    ("VGG16", 32, {}),
    ("tiny", 16, {}),
)
# Each takes a quarter of a minute to a whole one.
LARGE_APPLICATIONS = (
    ("ConvNeXtTiny", 32, {}),
    ("DenseNet121", 32, {}),
    ("EfficientNetB0", 32, {}),
    ("EfficientNetV2B0", 32, {}),
    ("InceptionResNetV2", 75, {}),
    ("InceptionV3", 75, {}),
    ("NASNetMobile", 32, {}),
    ("ResNet50", 32, {}),
    ("ResNet50V2", 32, {}),
    ("Xception", 71, {}),
)


def application(name, size, options, folder):
    return tl_keras.encoders.load(name, size, None, **options)


def makers(applications):
    """Name to a function that makes the encoder."""
    return {
        name: functools.partial(application, name, size, options)
        for name, size, options in applications
    }


ENCODERS = {**makers(APPLICATIONS), **encoders_for_tests.MAKERS}
LARGE_ENCODERS = makers(LARGE_APPLICATIONS)


class TrainingContractTest(parameterized.TestCase):
    @parameterized.named_parameters((name, name) for name in ENCODERS)
    def test_frozen_stays_and_copies_answer_alike(self, name):
        self._check(ENCODERS[name])

    @parameterized.named_parameters((name, name) for name in LARGE_ENCODERS)
    @pytest.mark.slow
    def test_frozen_stays_and_copies_of_large_ones_answer_alike(self, name):
        self._check(LARGE_ENCODERS[name])

    def _check(self, make):
        folder = self.enter_context(tempfile.TemporaryDirectory())
        encoder = make(folder)
        inputs = encoders_for_tests.inputs(encoder.input_spec)
        model = tl_keras.build(
            encoder, tl_keras.heads.Classifier(num_classes=2)
        )
        data = encoders_for_tests.data(encoder.input_spec)
        start, before = model.get_weights(), _weights(model)
        # Of a module some parts of which train, nothing is in front.
        in_parts = any(
            graph.parts_of(operation)
            for operation, _ in graph.operations(model)
        )
        train = "last 1" if len(encoder.groups) > 1 else "head"
        phase = Phase(name="top", train=train, learning_rate=0.1)
        if not in_parts:
            _fit(model, data, phase, "always")
            from_cache = _weights(model)
            model.set_weights(start)
        trained = set(phase.groups([*encoder.groups, "head"]))
        result = _fit(model, data, phase, "never")
        self.assertEqual(set(result.phases[0].groups), trained)
        with self.subTest("what is frozen stays to the bit"):
            _check_frozen(self, model, before, trained)
        if not in_parts:
            with self.subTest("cached equals uncached"):
                _check_equal(from_cache, _weights(model), before)

        answer = np.asarray(model(inputs, training=False))
        with self.subTest("a clone answers alike"):
            clone = keras.models.clone_model(model)
            clone.set_weights(model.get_weights())
            np.testing.assert_array_equal(clone(inputs), answer)
        with self.subTest("a saved model answers alike"):
            path = tl_keras.save(model, os.path.join(folder, "m.keras"))
            again = tl_keras.load_model(path)
            np.testing.assert_array_equal(again(inputs), answer)
            self.assertEqual(cards.of(again), cards.of(model))
            plain = keras.models.load_model(path)
            np.testing.assert_array_equal(plain(inputs), answer)
        with self.subTest("an exported model answers alike"):
            exported = tl_keras.serving.export(
                model, f"{folder}/served", check=False
            )
            served = tf.saved_model.load(str(exported))
            raw = {"pixels", "waveforms"} & set(served.signatures)
            serve = served.signatures[raw.pop() if raw else "serving_default"]
            [argument] = serve.structured_input_signature[1].values()
            outputs = serve(**{argument.name: _cast(inputs, argument)})
            np.testing.assert_allclose(
                outputs["probabilities"],
                keras.ops.softmax(answer),
                rtol=1e-4,
                atol=1e-6,
            )

    @parameterized.named_parameters(
        (name, name) for name in encoders_for_tests.MAKERS
    )
    def test_trains_in_mixed_precision(self, name):
        folder = self.enter_context(tempfile.TemporaryDirectory())
        encoder = ENCODERS[name](folder)
        model = tl_keras.build(
            encoder,
            tl_keras.heads.Classifier(num_classes=2, hidden_units=(4,)),
            dtype_policy="mixed_bfloat16",
        )
        inputs = encoders_for_tests.inputs(encoder.input_spec)
        data = tf.data.Dataset.from_tensor_slices((inputs, [0, 1] * 4))
        result = tl_keras.fit(
            model,
            data.batch(4),
            Phase(name="full", epochs=2),
            verbose=0,
            range_probe="off",
        )
        self.assertTrue(np.isfinite(result.history[-1]["loss"]))
        self.assertEqual(model(inputs).dtype, tf.float32)
        hidden = model.get_layer("head_hidden1")
        self.assertEqual(hidden.compute_dtype, "bfloat16")

    @parameterized.named_parameters(
        (name, name) for name in encoders_for_tests.MAKERS
    )
    def test_cached_equals_uncached_for_a_head(self, name):
        folder = self.enter_context(tempfile.TemporaryDirectory())
        encoder = ENCODERS[name](folder)
        model = tl_keras.build(
            encoder, tl_keras.heads.Classifier(num_classes=2, dropout=0.3)
        )
        data = encoders_for_tests.data(encoder.input_spec)
        phase = Phase(name="head", train="head", epochs=3, learning_rate=0.1)
        start, before = model.get_weights(), _weights(model)
        report = _fit(model, data, phase, "always").phases[0].prefix_cache
        self.assertEqual(report.computed, 8)
        from_cache = _weights(model)
        model.set_weights(start)
        _fit(model, data, phase, "never")
        _check_equal(from_cache, _weights(model), before)


def _fit(model, data, phase, prefix_cache):
    return tl_keras.fit(
        model,
        data,
        phase,
        prefix_cache=prefix_cache,
        verbose=0,
        range_probe="off",
    )


def _check_equal(cached, uncached, before):
    """Equal but for the rounding of floats, as a share of what was learned."""
    for unit, values in uncached.items():
        for one, other, start in zip(
            cached[unit], values, before[unit], strict=True
        ):
            one, other = np.asarray(one), np.asarray(other)
            if not np.issubdtype(one.dtype, np.floating):
                continue  # Of modules: tables, flags.
            learned = np.abs(other - start).max(initial=0.0)
            np.testing.assert_allclose(
                one,
                other,
                rtol=1e-5,
                atol=max(1e-3 * float(learned), 1e-7),
                err_msg=unit,
            )


def _check_frozen(test, model, before, trained):
    after = _weights(model)
    groups = cards.of(model).groups
    changed = {
        unit
        for unit, values in before.items()
        if not all(map(np.array_equal, values, after[unit]))
    }
    frozen = [
        n for g, names in groups.items() if g not in trained for n in names
    ]
    test.assertEmpty(changed & set(frozen))
    for group in trained:
        test.assertNotEmpty(changed & set(groups[group]), group)


def _weights(model) -> dict[str, list]:
    """Values by layer, and of a layer in parts by "LAYER/PART"."""
    values = {}
    for layer in model.layers:
        values[layer.name] = layer.get_weights()
        for part, weights in getattr(layer, "parts", {}).items():
            values[f"{layer.name}/{part}"] = [w.numpy() for w in weights]
    return values


def _cast(inputs, argument):
    # Pixels here are whole numbers, which the signature takes as uint8.
    return tf.cast(inputs, argument.dtype)


if __name__ == "__main__":
    absltest.main()
