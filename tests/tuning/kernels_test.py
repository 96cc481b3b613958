import keras
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.tuning import kernels


class IsKernelTest(parameterized.TestCase):
    @parameterized.parameters(
        (keras.layers.Dense(4), ["kernel"]),
        (keras.layers.Conv1D(4, 3), ["kernel"]),
        (
            keras.layers.SeparableConv1D(4, 3),
            ["depthwise_kernel", "pointwise_kernel"],
        ),
        (keras.layers.LSTM(4), ["kernel", "recurrent_kernel"]),
        (keras.layers.Embedding(9, 4), ["embeddings"]),
        # Of these each bias has an axis for the heads as well.
        (
            keras.layers.EinsumDense(
                "abc,cde->abde", (5, 2, 4), bias_axes="de"
            ),
            ["kernel"],
        ),
        (keras.layers.BatchNormalization(), []),
        (keras.layers.LayerNormalization(), []),
    )
    def test_neither_biases_nor_scales_are(self, layer, expected):
        layer.build((2, 5, 6))
        self.assertEqual(
            [w.name for w in layer.weights if kernels.is_kernel(w)], expected
        )


if __name__ == "__main__":
    absltest.main()
