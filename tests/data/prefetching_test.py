"""What is read ahead comes as it is, and is let go of at once."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tl_keras.data import arrays
from tl_keras.data import prefetching
from tl_keras.training import feeds
from tl_keras.tuning import Phase


def is_tuned(dataset):
    """Whether tf.data's tuner runs beside, which ends up to a minute late."""
    return dataset.options().autotune.enabled is not False


class PrefetchedTest(absltest.TestCase):
    def test_gives_the_same_in_the_same_order(self):
        dataset = tf.data.Dataset.range(5).map(lambda n: n * n)
        squares = prefetching.prefetched(dataset).as_numpy_iterator()
        self.assertEqual(list(squares), [0, 1, 4, 9, 16])

    def test_keeps_other_options(self):
        options = tf.data.Options()
        options.deterministic = False
        dataset = tf.data.Dataset.range(5).with_options(options)
        kept = prefetching.prefetched(dataset).options()
        self.assertFalse(kept.deterministic)


class TunedTest(absltest.TestCase):
    def test_nothing_that_fit_reads_is_tuned(self):
        images = np.zeros((6, 4, 4, 3), np.uint8)
        labels = np.arange(6) % 2
        data = arrays.from_arrays(
            (images, labels), (images, labels), batch_size=2
        )
        bare = tf.data.Dataset.from_tensor_slices((images, labels)).batch(2)
        options = {"num_classes": 2, "class_weight": None, "seed": 0}
        phase = Phase(name="phase", train="all", epochs=1)
        for given in (data, bare):
            validation = bare if given is bare else None
            feed = feeds.make(given, validation, **options)
            with self.subTest(type(feed).__name__):
                batches = feed.train(phase, 0, 1)
                self.assertFalse(is_tuned(batches))
                self.assertFalse(is_tuned(batches.repeat()))
                self.assertFalse(is_tuned(feed.validation()))


if __name__ == "__main__":
    absltest.main()
