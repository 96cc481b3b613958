"""Tests of a classifier as a LiteRT file."""

import pathlib
import zipfile
from unittest import mock

import encoders_for_tests
import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import cards
from tl_keras import input_specs
from tl_keras.serving import agreement
from tl_keras.serving import attachments
from tl_keras.serving import litert
from tl_keras.serving import litert_forms

FORMS = ("float32", "float16", "dynamic_range", "int8")


def _model(activation=None):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((16, 16, 3)),
        keras.layers.Rescaling(1 / 127.5, -1.0),
        keras.layers.Conv2D(16, 3, strides=2, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(6.0),
        keras.layers.DepthwiseConv2D(3, padding="same"),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(64),
        keras.layers.Dense(3, activation=activation),
    ]
    return keras.Sequential(layers)


def _images(number=7, low=0, high=256):
    rng = np.random.default_rng(1)
    return rng.integers(low, high, (number, 16, 16, 3)).astype("uint8")


def _softmax(logits):
    logits = np.asarray(logits, "float64")
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _answer(path, **inputs):
    """What the file's signature gives, by TensorFlow Lite's interpreter."""
    interpreter = tf.lite.Interpreter(str(path))
    return interpreter.get_signature_runner("serving_default")(**inputs)


def _data(model, with_test=True):
    """Images whose labels are the model's own answers."""
    images = _images(60)
    labels = np.argmax(model(images), axis=1)
    labels[:3] = 0, 1, 2  # Of each class one, at least.
    parts = [(images[:30], labels[:30]), (images[30:45], labels[30:45])]
    if with_test:
        parts.append((images[45:], labels[45:]))
    names = ["cat", "dog", "owl"]
    return tl_keras.data.from_arrays(*parts, class_names=names)


class _InFolder(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.path = self.folder / "models" / "pets.tflite"

    def _entries(self):
        return sorted(entry.name for entry in self.path.parent.iterdir())


class ConvertTest(_InFolder):
    @parameterized.parameters(1, 7)
    def test_float_answers_as_the_model_for_batches_of(self, batch_size):
        model, images = _model(), _images(batch_size)
        path = litert.convert(model, self.path)
        answer = _answer(path, images=images)
        self.assertEqual(list(answer), ["probabilities"])
        self.assertEqual(answer["probabilities"].dtype, np.float32)
        np.testing.assert_allclose(
            answer["probabilities"], _softmax(model(images)), rtol=1e-4
        )

    def test_takes_no_softmax_of_probabilities(self):
        model, images = _model("softmax"), _images()
        path = litert.convert(model, self.path)
        np.testing.assert_allclose(
            _answer(path, images=images)["probabilities"],
            model(images),
            rtol=1e-4,
        )

    @parameterized.parameters(*FORMS)
    def test_every_form_takes_pixels_and_is_near_the_model(self, form):
        model, images = _model(), _images()
        path = litert.convert(
            model, self.path, form=form, calibration=[_images(50)]
        )
        for batch_size in (1, 7):
            answer = _answer(path, images=images[:batch_size])
            expected = _softmax(model(images[:batch_size]))
            np.testing.assert_allclose(
                answer["probabilities"], expected, atol=0.05
            )
            # The shares of pixels and weights that rounding takes are not
            # zero: were they, the form would be another.
            error = np.abs(answer["probabilities"] - expected).max()
            self.assertEqual(error < 1e-6, form == "float32")

    def test_forms_are_as_small_as_their_weights(self):
        model, sizes = _model(), {}
        for form in FORMS:
            path = self.path.with_name(f"{form}.tflite")
            litert.convert(model, path, form=form, calibration=[_images()])
            sizes[form] = path.stat().st_size / (4 * model.count_params())
        self.assertBetween(sizes["float32"], 1.0, 1.2)
        self.assertBetween(sizes["float16"], 0.5, 0.7)
        self.assertBetween(sizes["dynamic_range"], 0.25, 0.45)
        self.assertBetween(sizes["int8"], 0.25, 0.45)

    def test_int8_computes_in_integers_from_pixels_to_softmax(self):
        # No calibration pixel is near 0 or 255, and pixels still go in as
        # they are: in steps of 1, from 0.
        calibration = tf.data.Dataset.from_tensors(_images(50, 90, 110))
        path = litert.convert(
            _model(), self.path, form="int8", calibration=calibration
        )
        interpreter = tf.lite.Interpreter(str(path))
        [taken] = interpreter.get_input_details()
        self.assertEqual(taken["dtype"], np.uint8)
        self.assertEqual(taken["quantization"], (1.0, 0))
        floats = [
            tensor["name"]
            for tensor in interpreter.get_tensor_details()
            if tensor["dtype"] == np.float32
        ]
        [given] = interpreter.get_output_details()
        self.assertEqual(floats, [given["name"]])

    def test_int8_leaves_the_calibration_as_it_was(self):
        images = _images(50, 90, 110).astype("float32")
        litert.convert(_model(), self.path, form="int8", calibration=[images])
        self.assertEqual((images.min(), images.max()), (90, 109))

    def test_int8_needs_calibration_and_says_what(self):
        for given, error, message in (
            (None, ValueError, "`calibration` is missing.*calibration_batches"),
            ([], ValueError, "`calibration` is empty"),
            ([(_images(), [0])], TypeError, "a tuple of 2.*without.*labels"),
            ([_images()[:, :8]], ValueError, r"\(7, 8, 16, 3\).*16, 16, 3"),
        ):
            with self.assertRaisesRegex(error, message):
                litert.convert(
                    _model(), self.path, form="int8", calibration=given
                )
        self.assertFalse(self.path.parent.exists())

    @parameterized.parameters("float32", "int8")
    def test_waveforms_go_in_as_floats(self, form):
        keras.utils.set_random_seed(0)
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
        cards.attach(
            model,
            cards.Card(
                encoder="own", groups={}, input_spec=spec, num_classes=3
            ),
        )
        rng = np.random.default_rng(0)
        clips = rng.uniform(-1, 1, (50, 400)).astype("float32")
        path = litert.convert(model, self.path, form=form, calibration=[clips])
        for batch_size in (1, 7):
            np.testing.assert_allclose(
                _answer(path, waveforms=clips[:batch_size])["probabilities"],
                _softmax(model(clips[:batch_size])),
                rtol=1e-4 if form == "float32" else 0.05,
            )
        self.assertEqual(
            litert.read_description(path)["input"],
            {"kind": "audio", "sample_rate": 400, "num_samples": 400}
            | {"channels": 1},
        )

    def test_a_module_of_tf_hub_is_converted_with_its_weights(self):
        modules_for_tests.image_module(str(self.folder / "module"), size=16)
        encoder = tl_keras.encoders.load(
            f"hub:{self.folder}/module", image_size=16
        )
        model = tl_keras.build(
            encoder, tl_keras.heads.Classifier(num_classes=3)
        )
        path = litert.convert(model, self.path)
        np.testing.assert_allclose(
            _answer(path, images=_images())["probabilities"],
            _softmax(model(_images())),
            rtol=1e-4,
        )

    def test_a_model_in_half_precision_answers_to_its_precision(self):
        model = tl_keras.build(
            tl_keras.encoders.load("tiny"),
            tl_keras.heads.Classifier(num_classes=3),
            dtype_policy="mixed_bfloat16",
        )
        images = tf.image.resize(_images(), [32, 32]).numpy().astype("uint8")
        path = litert.convert(model, self.path)
        # bfloat16 has eight bits: a step of 2 ** -8 in each activation.
        np.testing.assert_allclose(
            _answer(path, images=images)["probabilities"],
            _softmax(model(images)),
            atol=0.05,
        )

    def test_texts_are_refused_and_it_says_why(self):
        encoder = encoders_for_tests.small_bert(self.folder)
        model = tl_keras.build(
            encoder, tl_keras.heads.Classifier(num_classes=2)
        )
        with self.assertRaisesRegex(ValueError, "texts.*Flex.*SavedModel"):
            litert.convert(model, self.path)

    def test_images_of_any_size_are_refused(self):
        model = keras.Sequential(
            [
                keras.Input((None, None, 3)),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(3),
            ]
        )
        with self.assertRaisesRegex(ValueError, "any size.*image_size"):
            litert.convert(model, self.path)

    def test_refuses_another_form_or_ending(self):
        with self.assertRaisesRegex(ValueError, "mean 'int8'"):
            litert.convert(_model(), self.path, form="int4")
        with self.assertRaisesRegex(ValueError, "end in '.tflite'.*pets.lite"):
            litert.convert(_model(), self.path.with_suffix(".lite"))

    def test_an_operation_that_litert_lacks_is_told(self):
        inputs = keras.Input((16, 16, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(inputs)
        strange = keras.layers.Lambda(tf.math.digamma)(pooled)
        model = keras.Model(inputs, keras.layers.Dense(3)(strange))
        with self.assertRaisesRegex(ValueError, "no operation Digamma. Exp"):
            litert.convert(model, self.path)

    def test_an_interrupted_conversion_leaves_the_old_file(self):
        litert.convert(_model(), self.path, class_names=["a", "b", "c"])
        with mock.patch.object(
            attachments, "append", side_effect=KeyboardInterrupt
        ):
            with self.assertRaises(KeyboardInterrupt):
                litert.convert(_model(), self.path)
        self.assertEqual(self._entries(), ["pets.tflite"])
        self.assertEqual(litert.read_labels(self.path), ["a", "b", "c"])


class CalibrationBatchesTest(absltest.TestCase):
    def test_are_the_same_each_time_and_of_all_classes(self):
        # In stored order the first thirty would be of one class.
        labels = np.repeat([0, 1, 2], 40)
        images = np.broadcast_to(
            labels[:, None, None, None], (120, 4, 4, 3)
        ).astype("uint8")
        data = tl_keras.data.from_arrays((images, labels), False)
        first, again = (
            np.concatenate(list(litert.calibration_batches(data, 30)))
            for _ in range(2)
        )
        self.assertLen(first, 30)
        np.testing.assert_array_equal(first, again)
        self.assertEqual(set(first.ravel()), {0, 1, 2})


class RidingAlongTest(_InFolder):
    def test_any_zip_reader_finds_the_labels(self):
        names = ["cat", "dog", "hibou à l'œil"]
        path = litert.convert(_model(), self.path, class_names=names)
        self.assertEqual(litert.read_labels(path), names)
        with zipfile.ZipFile(path) as archive:
            self.assertIsNone(archive.testzip())
            self.assertEqual(
                archive.read("labels.txt").decode(),
                "cat\ndog\nhibou à l'œil\n",
            )

    def test_says_where_it_comes_from(self):
        model = tl_keras.build(
            tl_keras.encoders.load("tiny"),
            tl_keras.heads.Classifier(num_classes=3),
        )
        path = litert.convert(model, self.path, provenance={"run": [1, "a"]})
        about = litert.read_description(path)
        self.assertEqual(about["form"], "float32")
        self.assertEqual(about["provenance"], {"run": [1, "a"]})
        self.assertEqual(about["versions"]["tl_keras"], tl_keras.__version__)
        self.assertEqual(about["encoder"], "tiny")
        self.assertEqual(
            about["input"], {"kind": "image", "size": 32, "channels": 3}
        )

    def test_refuses_what_json_cannot_hold(self):
        for given in (["a"], {"a": object()}):
            with self.assertRaisesRegex(TypeError, "`provenance`"):
                litert.convert(_model(), self.path, provenance=given)

    def test_a_file_of_another_converter_has_no_labels(self):
        self.path.parent.mkdir()
        self.path.write_bytes(litert_forms.content(_model(), "float32", None))
        with self.assertRaisesRegex(ValueError, "carries no labels.txt"):
            litert.read_labels(self.path)
        with self.assertRaisesRegex(FileNotFoundError, "no file.*away"):
            litert.read_labels("away.tflite")


class CompareTest(_InFolder):
    def test_counts_what_is_right_and_what_agrees(self):
        model, images = _model(), _images(10)
        path = litert.convert(model, self.path)
        labels = np.argmax(model(images), axis=1)
        labels[:4] = (labels[:4] + 1) % 3  # Four of ten are labelled else.
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
        report = litert.compare(model, path, data)
        self.assertEqual(report.num_examples, 10)
        self.assertEqual(report.same_class, 1.0)
        self.assertEqual((report.accuracy, report.keras_accuracy), (0.6, 0.6))
        self.assertEqual(report.accuracy_drop, 0.0)
        self.assertEqual(report.size_bytes, len(path.read_bytes()))
        expected = _softmax(model(images))
        answered = _answer(path, images=images)["probabilities"]
        self.assertAlmostEqual(
            report.largest_difference, np.abs(answered - expected).max(), 6
        )

    def test_takes_floats_that_are_pixels_and_no_others(self):
        model, images = _model(), _images().astype("float32")
        path = litert.convert(model, self.path)
        labels = np.argmax(model(images), axis=1)
        whole = tf.data.Dataset.from_tensors((images, labels))
        self.assertEqual(litert.compare(model, path, whole).accuracy, 1.0)
        parts = tf.data.Dataset.from_tensors((images + 0.5, labels))
        with self.assertRaisesRegex(ValueError, "uint8.*float32.*Round"):
            litert.compare(model, path, parts)


class ExportTest(_InFolder):
    def test_writes_every_form_and_reports_on_each(self):
        model = _model()
        data = _data(model)
        reports = litert.export(model, self.path.parent, data)
        self.assertEqual(
            [report.path.name for report in reports],
            [f"{form}.tflite" for form in FORMS],
        )
        self.assertEqual(
            self._entries(), sorted(f"{form}.tflite" for form in FORMS)
        )
        for form, report in zip(FORMS, reports, strict=True):
            self.assertEqual(report.num_examples, 15)
            self.assertEqual(report.size_bytes, report.path.stat().st_size)
            self.assertEqual(
                litert.read_labels(report.path), ["cat", "dog", "owl"]
            )
            about = litert.read_description(report.path)
            self.assertEqual(about["form"], form)
            self.assertEqual(
                about["provenance"]["fingerprint"], data.fingerprint
            )

    def test_names_in_the_call_come_before_those_of_the_data(self):
        model = _model()
        names = ["a", "b", "c"]
        [report] = litert.export(
            model,
            self.path.parent,
            _data(model),
            forms=["float32"],
            class_names=names,
        )
        self.assertEqual(litert.read_labels(report.path), names)

    def test_judges_by_validation_where_there_is_no_test_part(self):
        model = _model()
        data = _data(model, with_test=False)
        [report] = litert.export(
            model, self.path.parent, data, forms=["float32"]
        )
        self.assertEqual(report.num_examples, 15)

    def test_a_form_that_loses_too_much_places_no_file(self):
        # Which class it is, the fifth digit of the logits tells: they lie at
        # 1000 and differ by at most 1. Of 8-bit logits a step is 4, so that
        # all are alike, and the first class is the answer.
        model = keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(2),
            ]
        )
        model.layers[-1].set_weights(
            [
                np.array([[-1, 1], [0, 0], [0, 0]], "float32"),
                np.array([1000.5, 999.5], "float32"),
            ]
        )
        labels = np.arange(40) % 2
        images = np.where(labels[:, None, None, None] == 1, 250, 5)
        images = np.broadcast_to(images, (40, 16, 16, 3)).astype("uint8")
        data = tl_keras.data.from_arrays(
            (images[:20], labels[:20]),
            (images[20:30], labels[20:30]),
            (images[30:], labels[30:]),
        )
        self.path.parent.mkdir()
        self.path.with_name("int8.tflite").write_text("an older one")
        with self.assertRaisesRegex(
            agreement.AccuracyLost, r"int8.tflite 0.5000 .* 1.0000 \(10 exam"
        ) as raised:
            litert.export(
                model, self.path.parent, data, forms=["float32", "int8"]
            )
        exact, rounded = raised.exception.agreements
        self.assertEqual((exact.accuracy, rounded.accuracy), (1.0, 0.5))
        self.assertEqual(self._entries(), ["int8.tflite"])
        self.assertEqual(
            self.path.with_name("int8.tflite").read_text(), "an older one"
        )
        reports = litert.export(
            model,
            self.path.parent,
            data,
            forms=["int8"],
            max_accuracy_drop=0.5,
        )
        self.assertEqual(reports[0].accuracy_drop, 0.5)

    def test_refuses_a_training_part_alone(self):
        model = _model()
        images = _images(9)
        data = tl_keras.data.from_arrays((images, np.arange(9) % 3), False)
        with self.assertRaisesRegex(ValueError, "training part only"):
            litert.export(model, self.path.parent, data)

    def test_refuses_a_form_and_a_drop_before_any_work(self):
        model = _model()
        for options in ({"forms": ["int4"]}, {"max_accuracy_drop": 1.5}):
            with self.assertRaisesRegex(ValueError, "int4|max_accuracy_drop"):
                litert.export(model, self.path.parent, _data(model), **options)
        with self.assertRaisesRegex(TypeError, "`data`"):
            litert.export(model, self.path.parent, _data(model).test)


if __name__ == "__main__":
    absltest.main()
