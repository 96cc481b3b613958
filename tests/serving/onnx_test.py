"""Tests of a classifier as an ONNX file."""

import importlib.util
import pathlib
import sys
import unittest
from unittest import mock

import encoders_for_tests
import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import cards
from tl_keras import input_specs
from tl_keras.serving import onnx
from tl_keras.serving import portable

_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
_MISSING = [
    name for name in _PACKAGES if importlib.util.find_spec(name) is None
]


def _model():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((16, 16, 3)),
        keras.layers.Rescaling(1 / 127.5, -1.0),
        keras.layers.Conv2D(16, 3, strides=2, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(6.0),
        keras.layers.DepthwiseConv2D(3, padding="same"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(3),
    ]
    return keras.Sequential(layers)


def _images(number=7):
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (number, 16, 16, 3)).astype("uint8")


def _softmax(logits):
    odds = np.exp(np.asarray(logits, "float64"))
    return odds / odds.sum(axis=1, keepdims=True)


def _normalization():
    return keras.layers.Normalization(mean=[1, 2, 3], variance=[4, 5, 6])


class _Attention(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.attention = keras.layers.MultiHeadAttention(2, 4)

    def build(self, shape):
        self.attention.build(shape, shape)

    def call(self, images):
        return self.attention(images, images)


class _InFolder(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.path = self.folder / "models" / "pets.onnx"


@unittest.skipIf(_MISSING, f"not installed: {', '.join(_MISSING)}")
class ExportTest(_InFolder):
    def _session(self):
        import onnxruntime

        return onnxruntime.InferenceSession(
            str(self.path), providers=["CPUExecutionProvider"]
        )

    @parameterized.parameters(13, 17, 18)
    def test_answers_as_the_model_for_any_batch_with_opset(self, opset):
        model = _model()
        onnx.export(model, self.path, opset=opset)
        session = self._session()
        [taken], [given] = session.get_inputs(), session.get_outputs()
        self.assertEqual((taken.name, taken.type), ("images", "tensor(uint8)"))
        self.assertEqual(taken.shape, ["batch", 16, 16, 3])
        self.assertEqual((given.name, given.shape[1]), ("probabilities", 3))
        for batch_size in (1, 2, 7):
            images = _images(batch_size)
            [answered] = session.run(["probabilities"], {"images": images})
            np.testing.assert_allclose(
                answered, _softmax(model(images)), rtol=1e-4
            )

    def test_the_file_names_its_opset(self):
        import onnx as onnx_package

        onnx.export(_model(), self.path, opset=15)
        proto = onnx_package.load(str(self.path))
        versions = {one.domain: one.version for one in proto.opset_import}
        self.assertEqual(versions[""], 15)

    def test_waveforms_go_in_as_floats(self):
        model = keras.Sequential(
            [
                keras.Input((400,)),
                keras.layers.Reshape((400, 1)),
                keras.layers.Conv1D(8, 20, strides=10, activation="relu"),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dense(3),
            ]
        )
        spec = input_specs.AudioSpec(sample_rate=400, num_samples=400)
        card = cards.Card(
            encoder="own", groups={}, input_spec=spec, num_classes=3
        )
        cards.attach(model, card)
        onnx.export(model, self.path)
        clips = np.random.default_rng(0).uniform(-1, 1, (5, 400))
        clips = clips.astype("float32")
        [answered] = self._session().run(None, {"waveforms": clips})
        np.testing.assert_allclose(answered, _softmax(model(clips)), rtol=1e-4)

    def test_a_model_in_half_precision_answers_to_its_precision(self):
        model = tl_keras.build(
            tl_keras.encoders.load("tiny"),
            tl_keras.heads.Classifier(num_classes=3),
            dtype_policy="mixed_bfloat16",
        )
        images = tf.image.resize(_images(), [32, 32]).numpy().astype("uint8")
        onnx.export(model, self.path)
        np.testing.assert_allclose(
            onnx.predictor(self.path)(images),
            _softmax(model(images)),
            atol=0.05,
        )

    @parameterized.named_parameters(
        # What a function captures is no input of the file.
        ("Normalization", lambda: _normalization()),
        # Keras compiles a convolution in groups by XLA.
        ("groups", lambda: keras.layers.Conv2D(6, 3, groups=3)),
        ("gelu", lambda: keras.layers.Activation("gelu")),
        ("attention", lambda: _Attention()),
    )
    def test_answers_as_a_model_with(self, layer):
        keras.utils.set_random_seed(0)
        layers = [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 64, -2.0),
            layer(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
        model = keras.Sequential(layers)
        onnx.export(model, self.path)
        [taken] = self._session().get_inputs()
        self.assertEqual(taken.name, "images")
        np.testing.assert_allclose(
            onnx.predictor(self.path)(_images()),
            _softmax(model(_images())),
            rtol=1e-4,
            atol=1e-6,
        )

    def test_an_operation_that_onnx_lacks_is_told(self):
        inputs = keras.Input((16, 16, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(inputs)
        strange = keras.layers.Lambda(tf.math.digamma)(pooled)
        model = keras.Model(inputs, keras.layers.Dense(3)(strange))
        with self.assertRaisesRegex(ValueError, "ONNX lacks.*Digamma.*Saved"):
            onnx.export(model, self.path)
        self.assertFalse(self.path.exists())

    def test_the_metadata_hold_labels_and_where_it_comes_from(self):
        names = ["cat", "dog", "hibou à l'œil"]
        onnx.export(
            _model(), self.path, class_names=names, provenance={"run": 1}
        )
        metadata = self._session().get_modelmeta().custom_metadata_map
        self.assertEqual(metadata["labels.txt"], "cat\ndog\nhibou à l'œil\n")
        self.assertEqual(onnx.read_labels(self.path), names)
        about = onnx.read_description(self.path)
        self.assertEqual(about["form"], "onnx")
        self.assertEqual(about["provenance"], {"run": 1})

    def test_a_file_of_another_converter_has_no_labels(self):
        import tf2onnx

        whole = portable.Portable(_model())
        tf2onnx.convert.from_function(
            whole.function,
            whole.function.input_signature,
            output_path=str(self.folder / "other.onnx"),
        )
        with self.assertRaisesRegex(ValueError, "carries no labels.txt"):
            onnx.read_labels(self.folder / "other.onnx")

    def test_compares_with_the_model(self):
        model, images = _model(), _images(10)
        onnx.export(model, self.path)
        labels = np.argmax(model(images), axis=1)
        labels[:4] = (labels[:4] + 1) % 3  # Four of ten are labelled else.
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
        report = onnx.compare(model, self.path, data)
        self.assertEqual((report.accuracy, report.keras_accuracy), (0.6, 0.6))
        self.assertEqual(report.same_class, 1.0)
        self.assertLess(report.largest_difference, 1e-5)

    def test_a_file_that_answers_otherwise_is_not_placed(self):
        onnx.export(_model(), self.path, class_names=["a", "b", "c"])

        def off_by_a_little(path):
            predict = predictor(path)
            return lambda inputs: predict(inputs) * 1.001

        predictor = onnx.predictor
        with mock.patch.object(onnx, "predictor", off_by_a_little):
            with self.assertRaisesRegex(ValueError, "does not answer.*opset"):
                onnx.export(_model(), self.path)
        self.assertEqual(
            [entry.name for entry in self.path.parent.iterdir()],
            ["pets.onnx"],
        )
        self.assertEqual(onnx.read_labels(self.path), ["a", "b", "c"])


class RefusalTest(_InFolder):
    def test_refuses_texts_and_says_why(self):
        model = tl_keras.build(
            encoders_for_tests.small_bert(self.folder),
            tl_keras.heads.Classifier(num_classes=2),
        )
        with self.assertRaisesRegex(ValueError, "texts.*ONNX.*SavedModel"):
            onnx.export(model, self.path)

    def test_refuses_another_opset_or_ending(self):
        with self.assertRaisesRegex(ValueError, "`opset`. Got: 12.*13, 14"):
            onnx.export(_model(), self.path, opset=12)
        with self.assertRaisesRegex(ValueError, "end in '.onnx'"):
            onnx.export(_model(), self.path.with_suffix(".pb"))

    @parameterized.parameters(*_PACKAGES)
    @unittest.skipIf(_MISSING, f"not installed: {', '.join(_MISSING)}")
    def test_names_the_extra_where_a_package_is_missing(self, name):
        with mock.patch.dict(sys.modules, {name: None}):
            with self.assertRaisesRegex(
                ImportError,
                rf"is missing: .*{name}.*pip install \"tl_keras\[onnx\]\"",
            ):
                onnx.export(_model(), self.path)
        self.assertFalse(self.path.exists())


if __name__ == "__main__":
    absltest.main()
