import gzip

import keras
import numpy as np
from absl.testing import absltest

from tl_keras import compression


def model(zeros=0):
    """Two kernels of 600 and 40 weights; the first has some zeros."""
    built = keras.Sequential(
        [
            keras.Input((30,)),
            keras.layers.Dense(20, name="body"),
            keras.layers.Dense(2, name="end"),
        ],
        name="net",
    )
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) for w in built.get_weights()]
    weights[0].reshape(-1)[:zeros] = 0
    built.set_weights(weights)
    return built


class SparsityTest(absltest.TestCase):
    def test_counts_zeros_of_kernels_and_not_of_biases(self):
        report = compression.sparsity(model(zeros=160))
        self.assertEqual(
            [(k.shape, k.zeros, k.size) for k in report.kernels],
            [((30, 20), 160, 600), ((20, 2), 0, 40)],
        )
        self.assertEqual(report.sparsity, 160 / 640)
        self.assertEqual((report.parameters, report.bytes), (662, 4 * 662))

    def test_bytes_are_those_of_gzip(self):
        sparse = model(zeros=500)
        raw = b"".join(w.astype("<f4").tobytes() for w in sparse.get_weights())
        packed = gzip.compress(raw, 6, mtime=0)
        self.assertEqual(compression.sparsity(sparse).gzip_bytes, len(packed))

    def test_compares_with_the_dense_model(self):
        sparse, dense = model(zeros=500), model()
        report = compression.sparsity(sparse, dense)
        self.assertEqual(
            report.dense_gzip_bytes, compression.sparsity(dense).gzip_bytes
        )
        # 500 of 662 weights take next to nothing.
        self.assertLess(report.gzip_bytes, 0.35 * report.dense_gzip_bytes)
        self.assertIn(f"{report.dense_gzip_bytes:,}", str(report))

    def test_prints_a_line_for_each_kernel_and_all(self):
        lines = str(compression.sparsity(model(zeros=160))).splitlines()
        self.assertEqual(
            lines[0].split(), ["kernel", "shape", "weights", "zeros"]
        )
        self.assertEqual(
            lines[1].split(),
            ["net/body/kernel", "30", "x", "20", "600", "26.7%"],
        )
        self.assertEqual(lines[3].split(), ["all", "kernels", "640", "25.0%"])
        self.assertRegex(lines[5], "662 parameters: 2,648 bytes, .* after gzip")

    def test_anything_else_than_a_model_is_refused(self):
        with self.assertRaisesRegex(TypeError, "`model`.*Got"):
            compression.sparsity([np.zeros(3)])
        with self.assertRaisesRegex(TypeError, "`dense`.*Got"):
            compression.sparsity(model(), "dense.keras")


if __name__ == "__main__":
    absltest.main()
