import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.training import fused_batch_norm


def built(**options):
    layer = keras.layers.BatchNormalization(
        gamma_initializer=keras.initializers.RandomUniform(0.5, 2.0, seed=0),
        beta_initializer=keras.initializers.RandomNormal(seed=1),
        **options,
    )
    layer.build((None, 5, 6, 3))
    return layer


class FusedBatchNormTest(parameterized.TestCase):
    @parameterized.parameters(
        ({},),
        ({"scale": False},),
        ({"center": False},),
        ({"epsilon": 1.001e-5},),
    )
    def test_gives_the_layers_outputs_and_gradients(self, options):
        layer = built(**options)
        self.assertTrue(fused_batch_norm.can_fuse(layer))
        rng = np.random.default_rng(0)
        images = tf.constant(rng.normal(2, 3, (4, 5, 6, 3)), "float32")
        weights = tf.constant(rng.normal(size=(4, 5, 6, 3)), "float32")
        sources = [images, *(v.value for v in layer.trainable_variables)]

        def outputs_and_gradients(normalize):
            with tf.GradientTape() as tape:
                tape.watch(images)
                outputs = normalize(images)
                loss = tf.reduce_sum(weights * outputs)
            return [outputs, *tape.gradient(loss, sources)]

        ours = outputs_and_gradients(
            lambda x: fused_batch_norm.normalize(layer, x)
        )
        theirs = outputs_and_gradients(lambda x: layer(x, training=True))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)

    def test_leaves_the_moving_statistics_alone(self):
        layer = built()
        before = layer.moving_mean.numpy()
        fused_batch_norm.normalize(layer, tf.ones((2, 5, 6, 3)))
        np.testing.assert_array_equal(layer.moving_mean, before)

    def test_other_layers_are_left_to_keras(self):
        class Own(keras.layers.BatchNormalization):
            pass

        own = Own()
        own.build((None, 5, 6, 3))
        of_vectors = keras.layers.BatchNormalization()
        of_vectors.build((None, 3))
        for layer in (
            own,
            of_vectors,
            built(synchronized=True),
            built(epsilon=1e-6),
            built(dtype="mixed_bfloat16"),
            keras.layers.LayerNormalization(),
        ):
            self.assertFalse(fused_batch_norm.can_fuse(layer))


if __name__ == "__main__":
    absltest.main()
