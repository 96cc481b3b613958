"""Tests of resizing by matrices."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tl_keras.auditing import resizing


class ResizingTest(absltest.TestCase):
    def test_is_what_tensorflow_does(self):
        rng = np.random.default_rng(0)
        pictures = rng.uniform(0, 255, (3, 20, 30)).astype(np.float32)
        ours = resizing.apply(
            pictures, resizing.matrix(20, 8), resizing.matrix(30, 40)
        )
        theirs = tf.image.resize(pictures[..., None], [8, 40], antialias=True)
        np.testing.assert_allclose(ours, theirs[..., 0], atol=1e-3)


if __name__ == "__main__":
    absltest.main()
