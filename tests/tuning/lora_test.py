import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.tuning import lora

RANK, ALPHA = 2, 3.0
ADAPTED = {"table": "embeddings", "clip": "kernel", "mix": "kernel"}
ADAPTED |= {"image": "kernel", "end": "kernel"}
TOKENS = np.random.default_rng(0).integers(0, 11, (16, 5))
TARGETS = np.random.default_rng(1).normal(size=(16, 8)).astype("float32")


def model_of_many_kinds():
    """One layer of each kind that Keras itself has adapters for."""
    kernel = keras.initializers.HeNormal
    tokens = keras.Input((5,), dtype="int32")
    hidden = keras.layers.Embedding(
        11, 6, embeddings_initializer=kernel(0), name="table"
    )(tokens)
    hidden = keras.layers.Conv1D(
        7,
        3,
        padding="same",
        activation="tanh",
        kernel_initializer=kernel(1),
        name="clip",
    )(hidden)
    hidden = keras.layers.EinsumDense(
        "abc,cd->abd",
        (None, 9),
        bias_axes="d",
        kernel_initializer=kernel(2),
        name="mix",
    )(hidden)
    hidden = keras.layers.Reshape((5, 3, 3))(hidden)
    hidden = keras.layers.Conv2D(
        8, 2, kernel_initializer=kernel(3), name="image"
    )(hidden)
    hidden = keras.layers.Flatten()(hidden)
    end = keras.layers.Dense(8, kernel_initializer=kernel(4), name="end")
    return keras.Model(tokens, end(hidden))


def kernels_of(model):
    return {
        layer: np.asarray(getattr(model.get_layer(layer), kernel))
        for layer, kernel in ADAPTED.items()
    }


def adapters_of(model):
    weights = [
        getattr(model.get_layer(layer), kernel)
        for layer, kernel in ADAPTED.items()
    ]
    return lora.adapters_for(weights, RANK, ALPHA)


def with_keras_own_adapters(start):
    """The same model with Keras' own LoRA, each `a` at the values of ours."""
    model = model_of_many_kinds()
    for (name, kernel), adapter in zip(ADAPTED.items(), start, strict=True):
        layer = model.get_layer(name)
        layer.enable_lora(RANK, lora_alpha=ALPHA)
        theirs = getattr(layer, f"lora_{kernel}_a")
        theirs.assign(np.reshape(adapter.a, theirs.shape))
    return model


class AdapterTest(parameterized.TestCase):
    def adapted(self, shape, rank=2, alpha=None):
        rng = np.random.default_rng(0)
        kernel = keras.Variable(rng.normal(size=shape).astype("float32"))
        [adapter] = lora.adapters_for([kernel], rank, alpha)
        adapter.b.assign(rng.normal(size=adapter.b.shape))
        return adapter

    @parameterized.parameters(
        ((12, 9), (12, 9)),
        # Convolutions of images and of clips.
        ((3, 3, 8, 4), (72, 4)),
        ((5, 6, 7), (30, 7)),
        # An attention's queries, and what joins its heads again.
        ((24, 4, 6), (24, 24)),
        ((4, 6, 24), (24, 24)),
    )
    def test_its_value_is_a_sum_done_by_hand(self, shape, sides):
        adapter = self.adapted(shape, rank=2, alpha=5.0)
        start = adapter.kernel.numpy()
        a, b = adapter.a.numpy(), adapter.b.numpy()
        self.assertEqual((a.shape[0], b.shape[1]), sides)
        change = 5.0 / 2 * sum(np.outer(a[:, i], b[i]) for i in range(2))
        np.testing.assert_allclose(
            adapter.value(), start + change.reshape(shape), atol=1e-5
        )

    def test_without_alpha_the_product_is_not_scaled(self):
        self.assertEqual(self.adapted((9, 9), rank=3).scale, 1.0)

    def test_gradients_are_those_of_its_value(self):
        adapter = self.adapted((3, 3, 4, 5), alpha=5.0)
        weights = np.random.default_rng(1).normal(size=(3, 3, 4, 5))
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(adapter.value() * weights.astype("float32"))
        expected = tape.gradient(total, [adapter.a.value, adapter.b.value])
        for ours, theirs in zip(
            adapter.gradients(weights), expected, strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)

    def test_is_at_first_no_change_at_all(self):
        kernel = keras.Variable(np.random.default_rng(0).normal(size=(9, 9)))
        before = kernel.numpy()
        [adapter] = lora.adapters_for([kernel], 2)
        np.testing.assert_array_equal(adapter.value(), before)
        self.assertGreater(np.abs(adapter.a).min(), 0.0)

    def test_equal_seeds_begin_alike_and_others_do_not(self):
        def begin(seed):
            kernels = [keras.Variable(np.zeros((9, 9))) for _ in range(2)]
            return [
                adapter.a.numpy()
                for adapter in lora.adapters_for(kernels, 2, seed=seed)
            ]

        np.testing.assert_array_equal(begin(0), begin(0))
        self.assertFalse(np.array_equal(begin(0), begin(1)))
        self.assertFalse(np.array_equal(*begin(0)))


class CanAdaptTest(parameterized.TestCase):
    @parameterized.parameters(
        ((16, 16), 7, True),
        # 8 * (16 + 16) entries are no fewer than 16 * 16.
        ((16, 16), 8, False),
        ((16,), 1, False),
        # One column a channel, as a depthwise convolution has.
        ((3, 3, 64, 1), 1, False),
        # One token that all sequences share.
        ((1, 1, 16), 1, False),
    )
    def test_an_adapter_is_smaller_than_its_kernel(self, shape, rank, fits):
        kernel = keras.Variable(np.zeros(shape))
        self.assertEqual(lora.can_adapt(kernel, rank), fits)

    def test_neither_constraints_nor_whole_numbers_can_hold_a_sum(self):
        layer = keras.layers.Dense(16, kernel_constraint="non_neg")
        layer.build((None, 16))
        self.assertFalse(lora.can_adapt(layer.kernel, 2))
        counts = keras.Variable(np.zeros((16, 16), "int32"), dtype="int32")
        self.assertFalse(lora.can_adapt(counts, 2))

    def test_names_what_no_adapter_fits(self):
        layer = keras.layers.Dense(4, name="narrow")
        layer.build((None, 4))
        with self.assertRaisesRegex(ValueError, r"narrow/kernel.*\(4, 4\)"):
            lora.adapters_for([layer.kernel], 3)
        with self.assertRaisesRegex(ValueError, "`rank` is too small"):
            lora.adapters_for([layer.kernel], 0)


class OptimizerClassTest(parameterized.TestCase):
    @parameterized.parameters(
        ({},),
        ({"global_clipnorm": 0.05},),
        ({"weight_decay": 0.1},),
        ({"gradient_accumulation_steps": 2},),
        ({"use_ema": True, "ema_momentum": 0.5},),
    )
    def test_equals_keras_own_lora(self, options):
        ours = model_of_many_kinds()
        adapters = adapters_of(ours)
        theirs = with_keras_own_adapters(adapters)
        kind = lora.optimizer_class(keras.optimizers.SGD, adapters)
        ours.compile(kind(0.005, momentum=0.9, **options), "mse")
        theirs.compile(
            keras.optimizers.SGD(0.005, momentum=0.9, **options), "mse"
        )
        before = kernels_of(ours)
        for model in (ours, theirs):
            model.fit(
                TOKENS,
                TARGETS,
                batch_size=4,
                epochs=3,
                shuffle=False,
                verbose=0,
            )
        after, expected = kernels_of(ours), kernels_of(theirs)
        for name in ADAPTED:
            change = np.abs(after[name] - before[name]).max()
            self.assertGreater(change, 1e-4)
            # Mostly they are equal to the bit; not where the threads of a
            # convolution add in another order.
            np.testing.assert_allclose(
                after[name], expected[name], rtol=0, atol=0.01 * change
            )
        # Biases train beside them, here as there.
        np.testing.assert_allclose(
            ours.get_layer("end").bias, theirs.get_layer("end").bias, atol=1e-3
        )
        np.testing.assert_allclose(
            ours.predict(TOKENS, verbose=0),
            theirs.predict(TOKENS, verbose=0),
            atol=1e-2,
        )

    def test_a_kernel_holds_its_sum_after_every_step(self):
        model = model_of_many_kinds()
        adapters = adapters_of(model)
        kind = lora.optimizer_class(keras.optimizers.Adam, adapters)
        model.compile(kind(0.01), "mse")
        for _ in range(3):
            model.train_on_batch(TOKENS, TARGETS)
            for adapter in adapters:
                np.testing.assert_array_equal(adapter.kernel, adapter.value())

    def test_attention_moves_by_its_heads_and_width(self):
        layer = keras.layers.MultiHeadAttention(3, 8, name="attention")
        inputs = keras.Input((5, 24))
        model = keras.Model(inputs, layer(inputs, inputs))
        kernels = [w for w in layer.weights if lora.can_adapt(w, 2)]
        # Four biases are none, though three of them have two axes.
        self.assertLen(kernels, 4)
        before = [kernel.numpy() for kernel in kernels]
        kind = lora.optimizer_class(
            keras.optimizers.Adam, lora.adapters_for(kernels, 2)
        )
        model.compile(kind(0.01), "mse")
        clips = np.random.default_rng(0).normal(size=(8, 5, 24))
        model.fit(clips, clips[::-1], epochs=3, verbose=0)
        for kernel, start in zip(kernels, before, strict=True):
            change = (kernel.numpy() - start).reshape(24, 24)
            self.assertEqual(np.linalg.matrix_rank(change, tol=1e-5), 2)

    def test_the_saved_model_is_an_ordinary_one(self):
        model = model_of_many_kinds()
        kind = lora.optimizer_class(keras.optimizers.Adam, adapters_of(model))
        model.compile(kind(0.01), "mse")
        model.fit(TOKENS, TARGETS, verbose=0)
        path = os.path.join(self.create_tempdir(), "m.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        self.assertIs(type(loaded.optimizer), keras.optimizers.Adam)
        np.testing.assert_array_equal(
            loaded.predict(TOKENS, verbose=0), model.predict(TOKENS, verbose=0)
        )
        for layer in loaded.layers:
            self.assertNotIn("lora_rank", layer.get_config())


if __name__ == "__main__":
    absltest.main()
