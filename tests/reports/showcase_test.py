"""Tests of which examples are shown."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest

import tl_keras
from tl_keras.reports import showcase


class ShowcaseTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, (40, 70, 70, 3), np.uint8)
        self.labels = np.arange(40) % 4
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.data = tl_keras.data.from_arrays(
            train=(self.images, self.labels),
            test=(self.images, self.labels),
            class_names=("a", "b", "c", "d"),
            validation=False,
        )
        logits = rng.normal(size=(40, 4))
        self.probabilities = np.exp(logits) / np.exp(logits).sum(
            axis=1, keepdims=True
        )

    def collect(self, data=None, count=5):
        return showcase.collect(
            data or self.data,
            self.probabilities,
            self.labels,
            count=count,
            workdir=self.folder,
        )

    def test_the_highest_losses_come_first(self):
        of_label = self.probabilities[np.arange(40), self.labels]
        expected = np.argsort(of_label)[:5]
        found = self.collect()["top_losses"]
        self.assertEqual([one["index"] for one in found], expected.tolist())
        self.assertAlmostEqual(
            found[0]["loss"], -np.log(of_label.min()), places=6
        )

    def test_the_surest_errors_are_errors_and_none_is_shown_twice(self):
        found = self.collect()
        errors = found["confident_errors"]
        top = {one["index"] for one in found["top_losses"]}
        for one in errors:
            self.assertNotEqual(one["label"], one["predicted"])
            self.assertNotIn(one["index"], top)
        sure = [one["probability"] for one in errors]
        self.assertEqual(sure, sorted(sure, reverse=True))

    def test_its_picture_is_that_of_the_example(self):
        one = self.collect()["top_losses"][0]
        content = (self.folder / one["picture"]).read_bytes()
        shown = tf.io.decode_image(content).numpy().astype(int)
        expected = self.images[one["index"]]
        # JPEG of noise is far from exact, and nearer than any other example.
        distances = np.abs(self.images.astype(int) - shown).mean(axis=(1, 2, 3))
        self.assertEqual(distances.argmin(), one["index"])
        self.assertEqual(shown.shape, expected.shape)

    def test_there_is_a_sample_of_each_class(self):
        labels = [one["label"] for one in self.collect()["samples"]]
        self.assertEqual(labels, ["a", "b", "c", "d"])

    def test_texts_are_shown_as_they_are(self):
        texts = np.array([f"text <{index}>" for index in range(40)])
        data = tl_keras.data.from_arrays(
            train=(texts, self.labels),
            test=(texts, self.labels),
            class_names=("a", "b", "c", "d"),
            validation=False,
        )
        for one in self.collect(data)["top_losses"]:
            self.assertEqual(one["text"], f"text <{one['index']}>")
            self.assertNotIn("picture", one)

    def test_without_a_test_part_there_are_samples_only(self):
        found = showcase.collect(
            self.data, None, None, count=3, workdir=self.folder
        )
        self.assertEqual(list(found), ["samples"])


if __name__ == "__main__":
    absltest.main()
