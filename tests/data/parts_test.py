"""Parts of batches for replicas: nothing twice, nothing left out."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.data import parts
from tl_keras.data import pipeline

COUNT, BATCH_SIZE = 29, 12


def data(count=COUNT):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, 4, 4, 3)).astype("uint8")
    return tl_keras.data.from_arrays(
        (images, np.arange(count) % 3),
        (images[:17], np.arange(17) % 3),
        batch_size=BATCH_SIZE,
    )


def joined(steps):
    """The batch of each step, put together of the real ones of its parts."""
    batches = []
    for together in steps:
        real = [p.batch for p in together if float(p.share) > 0.0]
        batches.append(
            tf.nest.map_structure(lambda *x: np.concatenate(x), *real)
        )
    return batches


def grouped(dataset, count):
    """The parts of a step, those of several replicas as one list."""
    found = list(dataset)
    return [found[n : n + count] for n in range(0, len(found), count)]


class PartsTest(parameterized.TestCase):
    @parameterized.parameters(
        # size, replicas, sizes of the parts; 0 stands for a stand-in
        (12, 2, [6, 6]),
        (5, 2, [2, 3]),
        (5, 4, [1, 1, 1, 2]),
        (1, 3, [0, 0, 1]),
        (2, 4, [0, 1, 0, 1]),
    )
    def test_divides_a_batch_in_its_order(self, size, replicas, sizes):
        batch = tf.data.Dataset.range(size).batch(size).map(lambda x: (x,))
        found = list(parts.Parts(0, replicas, replicas).of(batch))
        shares = [size_ * replicas / size for size_ in sizes]
        np.testing.assert_allclose([p.share for p in found], shares, 1e-6)
        real = [p.batch[0] for p in found if p.share > 0]
        self.assertEqual(np.concatenate(real).tolist(), list(range(size)))
        for part, expected in zip(found, sizes, strict=True):
            self.assertLen(part.batch[0], max(1, expected))

    def test_shares_make_means_over_parts_the_mean_over_the_batch(self):
        values = np.random.default_rng(0).normal(size=7)
        batch = tf.data.Dataset.from_tensor_slices((values,)).batch(7)
        found = list(parts.Parts(0, 3, 3).of(batch))
        means = [float(p.share) * float(np.mean(p.batch[0])) for p in found]
        self.assertAlmostEqual(np.mean(means), values.mean(), places=6)


class DataPartsTest(parameterized.TestCase):
    @parameterized.parameters(
        # replicas of each of several workers
        ([2],),
        ([4],),
        ([1, 1, 1],),
        ([2, 2],),
    )
    def test_of_training_batches_are_those_of_one_device(self, replicas):
        mixed = tl_keras.data.Augmentation(flip=True, mixup=0.4, cutmix=0.4)
        options = {
            "epochs": 2,
            "first_step": 1,
            "augmentation": mixed,
            "label_smoothing": 0.1,
            "class_weight": {0: 2.0},
        }
        total, steps = sum(replicas), []
        for number, count in enumerate(replicas):
            of_worker = parts.Parts(sum(replicas[:number]), count, total)
            dataset = data().train_epochs(**options, parts=of_worker)
            steps.append(grouped(dataset, count))
        together = [sum(one, []) for one in zip(*steps, strict=True)]
        whole = list(data().train_epochs(**options))
        self.assertEqual([len(b[1]) for b in whole], [12, 5, 12, 12, 5])
        for batch, found in zip(whole, joined(together), strict=True):
            for one, other in zip(batch, found, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6)

    def test_of_validation_batches_are_those_of_one_device(self):
        dataset = data().evaluation_batches(
            "validation", parts=parts.Parts(0, 4, 4)
        )
        found = joined(grouped(dataset, 4))
        whole = list(data().evaluation_batches("validation"))
        for batch, other in zip(whole, found, strict=True):
            np.testing.assert_array_equal(batch[0], other[0])
            np.testing.assert_array_equal(batch[1], other[1])

    def test_a_worker_reads_no_example_of_another_one(self):
        read = []

        class Reader:
            def read(self, indices):
                noted = tf.py_function(
                    lambda i: read.extend(i.numpy()), [indices], []
                )
                with tf.control_dependencies([noted] if noted else []):
                    return tf.cast(indices, tf.float32)

        class Examples:
            inputs, labels = Reader(), np.zeros(24, "int64")

            def __len__(self):
                return 24

        half = parts.Parts(1, 1, 2)
        list(pipeline.in_order(Examples(), 12, half))
        self.assertEqual(sorted(read), [*range(6, 12), *range(18, 24)])


if __name__ == "__main__":
    absltest.main()
