"""Predictions go into a file and come back."""

import os
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from tl_keras.evaluation import prediction_files


def some():
    rng = np.random.default_rng(0)
    return prediction_files.Predictions(
        ids=np.array(["a/é.png", "b.png"], object),
        labels=np.array([0, 1]),
        probabilities=np.array([[0.25, 0.75], [0.5, 0.5]], "float32"),
        digests=rng.integers(0, 256, (2, 16)).astype("uint8"),
        class_names=("cat", "dog"),
    )


class PredictionFilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enter_context(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder) / "predictions.npz"

    def test_come_back_as_they_were(self):
        prediction_files.write(some(), self.path)
        found = prediction_files.read(self.path)
        self.assertEqual(found.ids.tolist(), ["a/é.png", "b.png"])
        self.assertEqual(found.class_names, ("cat", "dog"))
        for name in ("labels", "probabilities", "digests"):
            np.testing.assert_array_equal(
                getattr(found, name), getattr(some(), name)
            )
        self.assertEqual(os.listdir(self.path.parent), ["predictions.npz"])

    def test_a_missing_file_and_another_one_are_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "predictions.npz"):
            prediction_files.read(self.path)
        self.path.write_text("no archive")
        with self.assertRaisesRegex(ValueError, "no predictions of a run"):
            prediction_files.read(self.path)
        np.savez(self.path, ids=["a"])
        with self.assertRaisesRegex(ValueError, "no predictions of a run"):
            prediction_files.read(self.path)


if __name__ == "__main__":
    absltest.main()
