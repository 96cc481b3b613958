import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import heads


class ClassifierTest(parameterized.TestCase):
    @parameterized.parameters(((7, 7, 5),), ((9, 5),), ((5,),))
    def test_gives_one_float32_logit_a_class(self, shape):
        logits = heads.Classifier(num_classes=4)(keras.Input(shape))
        self.assertEqual(logits.shape, (None, 4))
        self.assertEqual(logits.dtype, "float32")

    def test_is_the_mean_over_positions_times_a_matrix(self):
        features = keras.Input((3, 3, 5))
        model = keras.Model(features, heads.Classifier(num_classes=4)(features))
        kernel, bias = model.get_layer("head_logits").get_weights()
        batch = np.random.default_rng(0).normal(size=(2, 3, 3, 5))
        np.testing.assert_allclose(
            model(batch.astype("float32")),
            batch.mean(axis=(1, 2)) @ kernel + bias,
            atol=1e-5,
        )

    def test_hidden_layers_dropout_and_penalties_are_where_asked(self):
        head = heads.Classifier(4, hidden_units=[8, 6], dropout=0.5, l2=0.1)
        features = keras.Input((5,))
        model = keras.Model(features, head(features))
        widths = [
            layer.units
            for layer in model.layers
            if isinstance(layer, keras.layers.Dense)
        ]
        self.assertEqual(widths, [8, 6, 4])
        rates = [
            layer.rate
            for layer in model.layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        self.assertEqual(rates, [0.5, 0.5, 0.5])
        # Three kernels at strength 0.1.
        expected = sum(
            0.1 * np.sum(layer.get_weights()[0] ** 2)
            for layer in model.layers
            if isinstance(layer, keras.layers.Dense)
        )
        np.testing.assert_allclose(sum(model.losses), expected, rtol=1e-5)

    def test_equal_seeds_give_equal_weights_and_others_do_not(self):
        def kernel(seed):
            features = keras.Input((5,))
            logits = heads.Classifier(num_classes=3)(features, seed=seed)
            return keras.Model(features, logits).get_weights()[0]

        np.testing.assert_array_equal(kernel(1), kernel(1))
        self.assertGreater(np.abs(kernel(1) - kernel(2)).max(), 0.01)

    def test_stays_float32_under_mixed_precision(self):
        features = keras.Input((5,), dtype="bfloat16")
        head = heads.Classifier(num_classes=3, hidden_units=(4,))
        model = keras.Model(
            features, head(features, dtype_policy="mixed_bfloat16")
        )
        self.assertEqual(
            model.get_layer("head_hidden1").compute_dtype, "bfloat16"
        )
        self.assertEqual(model.output.dtype, "float32")

    @parameterized.parameters(
        ({"num_classes": 1}, "num_classes"),
        ({"num_classes": 2, "dropout": 1.0}, "dropout"),
        ({"num_classes": 2, "hidden_units": (0,)}, "hidden_units"),
        ({"num_classes": 2, "l2": float("nan")}, "l2"),
    )
    def test_names_an_argument_out_of_range(self, arguments, name):
        with self.assertRaisesRegex(ValueError, f"`{name}`.*Got.*Expected"):
            heads.Classifier(**arguments)


if __name__ == "__main__":
    absltest.main()
