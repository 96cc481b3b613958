"""A served model gets files as they are, and says what training says."""

import io
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

import tl_keras
from tl_keras import cards
from tl_keras import graph
from tl_keras import input_specs
from tl_keras import models
from tl_keras.serving import savedmodel

FORMATS = ("JPEG", "PNG", "GIF", "BMP")


def photograph(seed, height, width):
    """A smooth picture with grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3)).astype("uint8")
    smooth = Image.fromarray(coarse).resize((width, height), Image.BICUBIC)
    grain = rng.integers(-20, 20, (height, width, 3))
    return np.clip(np.asarray(smooth) + grain, 0, 255).astype("uint8")


def encoded(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def serve(path, signature="serving_default"):
    # Its variables live as long as what was loaded.
    loaded = tf.saved_model.load(str(path))

    def ask(**inputs):
        answers = loaded.signatures[signature](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        return {name: value.numpy() for name, value in answers.items()}

    return ask


def small_model(channels=3, num_classes=6):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((12, 12, channels)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(num_classes, activation="softmax"),
    ]
    return keras.Sequential(layers)


class ImagesTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        cls.names = ["ape", "bee", "gnu"]
        number = 0
        for name in cls.names:
            (cls.folder / "files" / name).mkdir(parents=True)
            for kind in FORMATS:
                number += 1
                pixels = photograph(number, 30 + 7 * number, 150 - 9 * number)
                file = cls.folder / "files" / name / f"{number}.{kind.lower()}"
                file.write_bytes(encoded(pixels, kind))
        encoder = tl_keras.encoders.load("tiny", image_size=32)
        cls.model = models.build(
            encoder, tl_keras.heads.Classifier(num_classes=3)
        )
        cls.path = savedmodel.export(
            cls.model,
            cls.folder / "zoo",
            class_names=cls.names,
            classify=True,
            check=False,
        )
        cls.files = sorted((cls.folder / "files").rglob("*.*"))

    def _bytes(self):
        return np.array([file.read_bytes() for file in self.files], object)

    def test_bytes_give_what_the_model_predicts_for_decoded_files(self):
        data = tl_keras.data.load(
            f"folder:{self.folder / 'files'}",
            image_size=32,
            validation_fraction=0.0,
            batch_size=5,
            seed=0,
        )
        expected = {}
        for split in ("train", "test"):
            if getattr(data, split) is None:
                continue
            inputs = np.concatenate(
                [batch[0] for batch in data.evaluation_batches(split)]
            )
            logits = self.model.predict(inputs, verbose=0)
            rows = keras.ops.softmax(logits).numpy()
            for pixels, row in zip(inputs, rows, strict=True):
                expected[pixels.astype("uint8").tobytes()] = row
        self.assertLen(expected, len(self.files))
        served = serve(self.path)(image_bytes=self._bytes())["probabilities"]
        for row in expected.values():
            distances = np.abs(served - row).max(axis=1)
            self.assertLess(distances.min(), 1e-5)

    @parameterized.parameters(1, 7, 64)
    def test_batches_of_any_size(self, size):
        ask = serve(self.path)
        given = np.resize(self._bytes(), size)
        answer = ask(image_bytes=given)
        singly = [ask(image_bytes=[one]) for one in given[:3]]
        np.testing.assert_allclose(
            answer["probabilities"][:3],
            np.concatenate([one["probabilities"] for one in singly]),
            rtol=1e-4,
            atol=1e-6,
        )
        self.assertEqual(answer["top_classes"].shape, (size, 3))

    def test_the_top_classes_are_the_most_probable_in_order(self):
        answer = serve(self.path)(image_bytes=self._bytes())
        order = np.argsort(-answer["probabilities"], axis=1)
        names = np.array([name.encode() for name in self.names], object)
        np.testing.assert_array_equal(answer["top_classes"], names[order])
        for row in answer["class_names"]:
            self.assertEqual(list(row), list(names))

    def test_a_gif_gives_its_first_frame(self):
        frames = [
            Image.fromarray(np.full((9, 9, 3), shade, "uint8")).quantize()
            for shade in (40, 200)
        ]
        file = io.BytesIO()
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
        first = encoded(np.full((9, 9, 3), 40, "uint8"))
        answer = serve(self.path)(image_bytes=[file.getvalue(), first])
        np.testing.assert_allclose(*answer["probabilities"], rtol=1e-5)

    def test_pixels_give_the_same(self):
        pixels = photograph(1, 50, 70)
        np.testing.assert_allclose(
            serve(self.path, "pixels")(images=pixels[None])["probabilities"],
            serve(self.path)(image_bytes=[encoded(pixels)])["probabilities"],
            rtol=1e-5,
        )

    def test_embed_gives_what_the_head_gets(self):
        pixels = photograph(1, 32, 32)
        card = cards.of(self.model)
        [features] = [
            operation.output
            for operation in graph.functional(self.model).operations
            if operation.name == card.features
        ]
        expected = keras.Model(self.model.inputs, features)(pixels[None])
        answer = serve(self.path, "embed")(image_bytes=[encoded(pixels)])
        np.testing.assert_allclose(
            answer["features"], expected, rtol=1e-4, atol=1e-5
        )

    def test_classify_takes_examples(self):
        values = self._bytes()[:2]
        serialized = [
            tf.train.Example(
                features=tf.train.Features(
                    feature={
                        "image/encoded": tf.train.Feature(
                            bytes_list=tf.train.BytesList(value=[value])
                        )
                    }
                )
            ).SerializeToString()
            for value in values
        ]
        answer = serve(self.path, "classify")(inputs=serialized)
        expected = serve(self.path)(image_bytes=values)
        np.testing.assert_allclose(
            answer["scores"], expected["probabilities"], rtol=1e-5
        )
        self.assertEqual(
            _method_names(self.path),
            {
                "serving_default": "tensorflow/serving/predict",
                "pixels": "tensorflow/serving/predict",
                "embed": "tensorflow/serving/predict",
                "classify": "tensorflow/serving/classify",
            },
        )

    def test_one_corrupt_image_is_an_invalid_argument(self):
        given = self._bytes()
        given[3] = given[3][: len(given[3]) // 3]
        with self.assertRaises(tf.errors.InvalidArgumentError):
            serve(self.path)(image_bytes=given)

    def test_a_thousand_random_strings_crash_nothing(self):
        rng = np.random.default_rng(0)
        starts = [value[:24] for value in self._bytes()]
        starts += [b"", b"RIFF\0\0\0\0WEBPVP8 ", b"\xff\x4f\xff\x51"]
        ask = serve(self.path)
        refused = 0
        for number in range(1000):
            start = starts[number % (2 * len(starts)) // 2]
            start = start if number % 2 else b""
            noise = rng.bytes(int(rng.integers(0, 300)))
            try:
                ask(image_bytes=[start + noise])
            except tf.errors.InvalidArgumentError:
                refused += 1
        self.assertGreater(refused, 900)
        answer = ask(image_bytes=self._bytes())
        self.assertTrue(np.isfinite(answer["probabilities"]).all())


def _method_names(path):
    saved = saved_model_pb2.SavedModel.FromString(
        (path / "saved_model.pb").read_bytes()
    )
    [meta_graph] = saved.meta_graphs
    return {
        name: signature.method_name
        for name, signature in meta_graph.signature_def.items()
        if not name.startswith("__")
    }


class OtherImagesTest(parameterized.TestCase):
    @parameterized.parameters(1, 4)
    def test_grey_and_transparent_images(self, channels):
        model = small_model(channels)
        path = savedmodel.export(model, self.create_tempdir(), check=False)
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (12, 12, channels)).astype("uint8")
        given = encoded(pixels[..., 0] if channels == 1 else pixels)
        np.testing.assert_allclose(
            serve(path)(image_bytes=[given])["probabilities"],
            model(pixels[None].astype("float32")),
            rtol=1e-4,
            atol=1e-6,
        )

    def test_arrays_that_no_file_holds_are_taken_as_they_are(self):
        model = small_model(channels=2)
        path = savedmodel.export(model, self.create_tempdir(), check=False)
        pixels = np.zeros((3, 12, 12, 2), "uint8")
        answer = serve(path)(images=pixels)
        self.assertEqual(answer["probabilities"].shape, (3, 6))
        with self.assertRaisesRegex(ValueError, "cannot be decoded"):
            savedmodel.export(
                model, self.create_tempdir(), classify=True, check=False
            )

    def test_images_of_another_size_than_a_model_that_is_not_square(self):
        layers = [
            keras.Input((6, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
        model = keras.Sequential(layers)
        path = savedmodel.export(model, self.create_tempdir(), check=False)
        fitting, other = photograph(0, 6, 8), photograph(0, 8, 6)
        ask = serve(path)
        np.testing.assert_allclose(
            ask(image_bytes=[encoded(fitting)])["probabilities"],
            keras.ops.softmax(model(fitting[None].astype("float32"))),
            rtol=1e-4,
        )
        with self.assertRaises(tf.errors.InvalidArgumentError):
            ask(image_bytes=[encoded(other)])

    def test_five_classes_are_the_top(self):
        path = savedmodel.export(
            small_model(), self.create_tempdir(), check=False
        )
        answer = serve(path)(image_bytes=[encoded(photograph(0, 9, 9))])
        self.assertEqual(answer["top_classes"].shape, (1, 5))


class ClipsTest(parameterized.TestCase):
    def _model(self, channels=1, num_samples=800):
        spec = input_specs.AudioSpec(
            sample_rate=8000, num_samples=num_samples, channels=channels
        )
        keras.utils.set_random_seed(0)
        waveforms = keras.Input(spec.shape)
        given = waveforms
        if channels == 1:
            given = keras.layers.Reshape((-1, 1))(waveforms)
        features = keras.layers.Conv1D(4, 9, strides=4, name="c")(given)
        pooled = keras.layers.GlobalAveragePooling1D()(abs(features))
        model = keras.Model(waveforms, keras.layers.Dense(2)(pooled))
        cards.attach(
            model,
            cards.Card(
                encoder="none", groups={}, input_spec=spec, num_classes=2
            ),
        )
        return model

    @parameterized.parameters((8000, 1), (16000, 1), (44100, 2), (11025, 1))
    def test_wav_bytes_give_what_training_reads(self, rate, channels):
        model = self._model()
        path = savedmodel.export(model, self.create_tempdir(), check=False)
        folder = pathlib.Path(self.create_tempdir())
        rng = np.random.default_rng(0)
        files = []
        for number in range(4):
            file = folder / "ab"[number % 2] / f"{number}.wav"
            file.parent.mkdir(exist_ok=True)
            wave = rng.uniform(-0.5, 0.5, (500 + 700 * number, channels))
            wav = tf.audio.encode_wav(wave.astype("float32"), rate)
            file.write_bytes(wav.numpy())
            files.append(file)
        data = tl_keras.data.load(
            f"folder:{folder}",
            sample_rate=8000,
            seconds=0.1,
            channels=1,
            validation_fraction=0.0,
            batch_size=4,
        )
        expected = []
        for split in ("train", "test"):
            if getattr(data, split) is not None:
                for batch in data.evaluation_batches(split):
                    expected.append(keras.ops.softmax(model(batch[0])).numpy())
        expected = np.concatenate(expected)
        served = serve(path)(wav_bytes=[f.read_bytes() for f in files])
        np.testing.assert_allclose(
            np.sort(served["probabilities"], axis=0),
            np.sort(expected, axis=0),
            rtol=1e-4,
        )

    def test_a_rate_without_a_simple_ratio_is_an_invalid_argument(self):
        path = savedmodel.export(
            self._model(), self.create_tempdir(), check=False
        )
        wav = tf.audio.encode_wav(tf.zeros([800, 1]), 999983).numpy()
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "no simple ratio.*999983"
        ):
            serve(path)(wav_bytes=[wav])

    def test_random_strings_crash_nothing(self):
        path = savedmodel.export(
            self._model(), self.create_tempdir(), check=False
        )
        ask, rng, refused = serve(path), np.random.default_rng(0), 0
        wav = tf.audio.encode_wav(tf.zeros([80, 1]), 8000).numpy()
        for number in range(300):
            broken = bytearray(wav if number % 2 else rng.bytes(200))
            for place in rng.integers(0, 44, 3):
                broken[place] = rng.integers(0, 256)
            try:
                ask(wav_bytes=[bytes(broken)])
            except (tf.errors.InvalidArgumentError, UnicodeDecodeError):
                # The latter where TensorFlow's message has the bytes in it.
                refused += 1
        self.assertGreater(refused, 150)

    def test_several_channels_and_raw_waveforms(self):
        model = self._model(channels=2)
        path = savedmodel.export(model, self.create_tempdir(), check=False)
        wave = np.random.default_rng(0).uniform(-0.5, 0.5, (800, 2))
        wave = np.round(wave * 32768).astype("float32") / 32768
        wav = tf.audio.encode_wav(wave, 8000).numpy()
        expected = keras.ops.softmax(model(wave[None]))
        np.testing.assert_allclose(
            serve(path)(wav_bytes=[wav])["probabilities"], expected, rtol=1e-3
        )
        np.testing.assert_allclose(
            serve(path, "waveforms")(waveforms=wave[None])["probabilities"],
            expected,
            rtol=1e-4,
        )


if __name__ == "__main__":
    absltest.main()
