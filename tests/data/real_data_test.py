"""The pipeline on real images, judged by a network trained elsewhere."""

import io
import os
import pathlib
import tempfile
import unittest

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


if __name__ == "__main__":
    absltest.main()
