import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.tuning import magnitude


def by_sorting(weights, kept, share):
    """Masks of vectors joined end to end, by NumPy's stable sort."""
    joined = np.concatenate([np.ravel(w) for w in weights]).astype("float32")
    before = np.concatenate([np.ravel(mask) for mask in kept])
    keys = np.where(before, np.abs(joined), -1.0)
    order = np.argsort(keys, kind="stable")
    mask = before.copy()
    mask[order[: round(share * joined.size)]] = False
    ends = np.cumsum([w.size for w in weights])[:-1]
    return [
        part.reshape(w.shape)
        for part, w in zip(np.split(mask, ends), weights, strict=True)
    ]


class MasksTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.weights = [
            rng.normal(size=(3, 3, 4, 7)).astype("float32"),
            (0.1 * rng.normal(size=(31, 5))).astype("float32"),
            # Many are equal here, and some are zero.
            rng.integers(-3, 4, (9, 8)).astype("float32"),
        ]
        self.kept = [np.ones(w.shape, "bool") for w in self.weights]

    def assert_masks(self, found, expected):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.numpy(), other)

    @parameterized.product(
        share=[0.0, 1e-3, 0.25, 0.5, 0.77, 0.999, 1.0],
        jit_compile=[False, True],
    )
    def test_of_each_layer_are_those_of_a_sort(self, share, jit_compile):
        masks = tf.function(magnitude.masks, jit_compile=jit_compile)
        self.assert_masks(
            masks(self.weights, self.kept, tf.constant(share, "float64")),
            [
                by_sorting([w], [m], share)[0]
                for w, m in zip(self.weights, self.kept, strict=True)
            ],
        )

    @parameterized.parameters(0.0, 1e-3, 0.25, 0.5, 0.77, 0.999, 1.0)
    def test_of_all_layers_are_those_of_one_sort(self, share):
        self.assert_masks(
            magnitude.masks(self.weights, self.kept, share, "global"),
            by_sorting(self.weights, self.kept, share),
        )

    @parameterized.parameters("layer", "global")
    def test_what_was_left_out_stays_so_whatever_its_value(self, scope):
        kept = [w < np.quantile(w, 0.8) for w in self.weights]
        few, many = (
            magnitude.masks(self.weights, kept, share, scope)
            for share in (0.1, 0.6)
        )
        self.assert_masks(few, kept)
        if scope == "global":
            self.assert_masks(many, by_sorting(self.weights, kept, 0.6))
        for mask, before in zip(many, kept, strict=True):
            self.assertFalse(np.any(mask.numpy() & ~before))

    @parameterized.parameters("float16", "bfloat16", "float64")
    def test_other_floats_have_masks_too(self, dtype):
        weights = [tf.cast(self.weights[1], dtype)]
        values = [weights[0].numpy().astype("float32")]
        self.assert_masks(
            magnitude.masks(weights, self.kept[1:2], 0.5),
            by_sorting(values, self.kept[1:2], 0.5),
        )

    def test_the_largest_and_smallest_floats_are_in_order(self):
        values = [1e-45, np.inf, -3.4e38, 0.0, -1e-38, np.nan, 1.0, -0.0]
        weights = [np.array(values, "float32")]
        # 0, -0, 1e-45, 1e-38, 1 are the five smallest.
        [mask] = magnitude.masks(weights, [np.ones(8, "bool")], 5 / 8)
        self.assertEqual(np.flatnonzero(mask.numpy()).tolist(), [1, 2, 5])

    def test_a_share_of_many_weights_is_exact(self):
        # More than float32 could count.
        size = 2**24 + 3
        weights = [np.arange(size, dtype="float32")]
        [mask] = magnitude.masks(weights, [np.ones(size, "bool")], 0.5)
        self.assertEqual(int(np.sum(~mask.numpy())), round(size / 2))


if __name__ == "__main__":
    absltest.main()
