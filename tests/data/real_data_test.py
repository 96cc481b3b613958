"""The pipelines on real images, texts and sounds."""

import io
import os
import pathlib
import tempfile
import unittest
import wave

import keras
import numpy as np
from absl.testing import absltest
from PIL import Image

import tl_keras

DATA = pathlib.Path(
    os.environ.get("TL_KERAS_DATA")
    or pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
)


def _cifar10_test_part():
    """All 10,000 test images `[10000, 32, 32, 3]` and their labels."""
    with np.load(DATA / "cifar10" / "cifar10_test_batch_webp.npz") as part:
        joined, offsets = part["webp"].tobytes(), part["offsets"]
        labels = part["labels"]
    images = [
        np.asarray(Image.open(io.BytesIO(joined[a:b])).convert("RGB"))
        for a, b in zip(offsets, offsets[1:], strict=False)
    ]
    return np.stack(images), labels.astype("int64")


@unittest.skipUnless(
    (DATA / "weights" / "cifar10_resnet8.h5").is_file(),
    f"no real CIFAR-10 and ResNet8 in {DATA} (TL_KERAS_DATA)",
)
class RealDataTest(absltest.TestCase):
    def test_a_network_of_others_scores_as_it_did_elsewhere(self):
        images, labels = _cifar10_test_part()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "cifar10.npz")
            np.savez(
                path,
                x_train=images[:500],
                y_train=labels[:500],
                x_test=images,
                y_test=labels,
            )
            data = tl_keras.data.load(f"npz:{path}", batch_size=500)
        model = keras.models.load_model(
            DATA / "weights" / "cifar10_resnet8.h5", compile=False
        )
        # It was measured at 87.2% where it was trained; other scaling, another
        # order of channels or of labels would cost many points.
        evaluation = tl_keras.evaluate(model, data.test)
        self.assertEqual(evaluation.num_examples, 10_000)
        self.assertAlmostEqual(evaluation.accuracy, 0.872, delta=0.002)


@unittest.skipUnless(
    (DATA / "text" / "sst2").is_dir(), f"no SST-2 in {DATA} (TL_KERAS_DATA)"
)
class SentimentTest(absltest.TestCase):
    def test_the_parts_are_those_of_the_publication(self):
        data = tl_keras.data.load(
            f"tsv:{DATA / 'text' / 'sst2'}", text_column=0, label_column=1
        )
        self.assertEqual(
            data.num_examples,
            {"train": 6920, "validation": 872, "test": 1821},
        )
        self.assertEqual(data.class_names, ("0", "1"))
        self.assertEqual(np.bincount(data.labels("test")).tolist(), [912, 909])
        texts, _ = next(iter(data.test))
        self.assertEqual(
            texts[0].numpy(), b"no movement , no yuks , not much of anything"
        )


@unittest.skipUnless(
    (DATA / "audio" / "fsdd_8k").is_dir(), f"no FSDD in {DATA} (TL_KERAS_DATA)"
)
class SpokenDigitsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # Takes 0 to 4 are the official test part.
        files = sorted((DATA / "audio" / "fsdd_8k").glob("*.wav"))
        rows = ["path,label,split"]
        for file in files:
            digit, _, take = file.stem.split("_")
            rows.append(
                f"{file},{digit},{'test' if int(take) < 5 else 'train'}"
            )
        self.table = self.create_tempfile("fsdd.csv", "\n".join(rows)).full_path

    def load(self, **options):
        return tl_keras.data.load(f"csv:{self.table}", **options)

    def test_clips_are_those_that_wave_reads(self):
        data = self.load(validation_fraction=0)
        self.assertEqual(
            data.num_examples, {"train": 600, "validation": 0, "test": 300}
        )
        self.assertEqual(data.input_spec.sample_rate, 8000)
        self.assertEqual(data.input_spec.channels, 1)
        clips = np.concatenate([clips for clips, _ in data.test])
        for clip, path in zip(clips, data.ids("test"), strict=True):
            with wave.open(path) as file:
                content = file.readframes(file.getnframes())
            samples = np.frombuffer(content, "<i2")[: len(clip)]
            expected = np.pad(samples, (0, len(clip) - len(samples)))
            np.testing.assert_array_equal(clip, expected / np.float32(32768))

    def test_resampled_on_the_fly_they_are_equal(self):
        options = {"sample_rate": 16000, "seconds": 0.5, "train_examples": 50}
        kept = self.load(cache=True, **options)
        not_kept = self.load(cache=False, **options)
        self.assertEqual(kept.input_spec.shape, (8000,))
        for one, other in zip(
            kept.validation, not_kept.validation, strict=True
        ):
            np.testing.assert_array_equal(one[0], other[0])


if __name__ == "__main__":
    absltest.main()
