import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.training import step_trial
from tl_keras.tuning import Phase

_RNG = np.random.default_rng(0)
# Batches of eight, eight and five.
INPUTS = _RNG.normal(size=(21, 6)).astype("float32")
LABELS = np.arange(21) % 3
GROUPS = {"body": ["body"], "head": ["head"]}


def network(*between):
    """Two kernels, and what is given between them."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(
                8,
                "relu",
                name="body",
                kernel_initializer=keras.initializers.HeNormal(1),
                kernel_regularizer="l2",
            ),
            *between,
            keras.layers.Dense(
                3,
                name="head",
                kernel_initializer=keras.initializers.HeNormal(2),
            ),
        ]
    )


def batches(batch_size=8):
    whole = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS))
    return whole.batch(batch_size)


def fit(model, data=None, *, micro_batches=1, fields=None, **options):
    fields = {"epochs": 2, "learning_rate": 0.05, **(fields or {})}
    return tl_keras.fit(
        model,
        data or batches(),
        Phase(name="a", micro_batches=micro_batches, **fields),
        **{"groups": GROUPS, "verbose": 0, **options},
    )


def step_by_hand(model, inputs, labels, parts, rate):
    """One step of gradient descent on the mean gradient of equal parts."""
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    total = [np.zeros(w.shape, "float32") for w in model.trainable_weights]
    for part in np.split(np.arange(len(inputs)), parts):
        with tf.GradientTape() as tape:
            outputs = model(inputs[part], training=True)
            loss = loss_of(labels[part], outputs) + sum(model.losses)
        gradients = tape.gradient(loss, model.trainable_weights)
        for one, gradient in zip(total, gradients, strict=True):
            one += gradient.numpy() / parts
    return [
        weight.numpy() - rate * gradient
        for weight, gradient in zip(model.trainable_weights, total, strict=True)
    ]


class EqualsOneBatchTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("adam", {"optimizer": "adam"}, {}),
        ("lora", {"optimizer": "sgd", "lora_rank": 2}, {}),
        (
            "clipping_and_weights",
            {"optimizer": "sgd", "clip_norm": 0.05, "label_smoothing": 0.2},
            {"class_weight": {0: 3.0}},
        ),
        (
            "anchoring_and_pruning",
            {
                "optimizer": "sgd",
                "starting_point_strength": 1.0,
                "pruning": 0.5,
            },
            {},
        ),
    )
    def test_with(self, fields, options):
        whole, parted = network(), network()
        one = fit(whole, fields=fields, **options)
        # Three parts of eight examples: of three, three and two.
        three = fit(parted, micro_batches=3, fields=fields, **options)
        for a, b in zip(whole.get_weights(), parted.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
        for row, other in zip(one.history, three.history, strict=True):
            self.assertAlmostEqual(row["loss"], other["loss"], places=6)
            self.assertAlmostEqual(row["accuracy"], other["accuracy"], places=6)

    def test_with_more_parts_than_examples(self):
        whole, parted = network(), network()
        fit(whole)
        fit(parted, micro_batches=16)
        for a, b in zip(whole.get_weights(), parted.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)

    def test_with_several_steps_at_a_time(self):
        whole, parted = network(), network()
        fit(whole)
        chosen = {"steps_per_execution": 2, "jit_compile": False}
        with (
            absltest.mock.patch.object(step_trial, "FEWEST_STEPS", 1),
            absltest.mock.patch.object(
                step_trial, "choose", return_value=chosen
            ) as choose,
        ):
            fit(parted, micro_batches=2)
        choose.assert_called_once()
        for a, b in zip(whole.get_weights(), parted.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)

    def test_with_an_embedding_whose_gradient_is_sparse(self):
        def model():
            table = keras.layers.Embedding(
                9, 4, embeddings_initializer=keras.initializers.HeNormal(1)
            )
            pooling = keras.layers.GlobalAveragePooling1D()
            head = keras.layers.Dense(
                2, kernel_initializer=keras.initializers.HeNormal(2)
            )
            inputs = keras.Input((5,), dtype="int32")
            return keras.Model(inputs, head(pooling(table(inputs))))

        tokens = _RNG.integers(0, 9, (8, 5)).astype("int32")
        data = tf.data.Dataset.from_tensor_slices((tokens, np.arange(8) % 2))
        whole, parted = model(), model()
        for one, count in ((whole, 1), (parted, 4)):
            groups = {"all": one.layers[1:2], "head": one.layers[3:]}
            fit(
                one,
                data.batch(8),
                micro_batches=count,
                # Adam makes much of gradients of next to nothing.
                fields={"optimizer": "sgd"},
                groups=groups,
            )
        for a, b in zip(whole.get_weights(), parted.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


class OnPartsTest(parameterized.TestCase):
    def test_batch_normalization_sees_one_part_at_a_time(self):
        model = network(keras.layers.BatchNormalization(name="norm"))
        twin = keras.models.clone_model(model)
        twin.set_weights(model.get_weights())
        expected = step_by_hand(twin, INPUTS[:8], LABELS[:8], 2, rate=0.1)
        fit(
            model,
            batches().take(1),
            micro_batches=2,
            fields={
                "epochs": 1,
                "optimizer": keras.optimizers.SGD(),
                "learning_rate": 0.1,
                "schedule": "constant",
                "weight_decay": 0.0,
                "clip_norm": None,
            },
            groups={"body": ["body", "norm"], "head": ["head"]},
        )
        for weight, value in zip(
            model.trainable_weights, expected, strict=True
        ):
            np.testing.assert_allclose(weight.numpy(), value, atol=1e-6)

    def test_dropout_draws_anew_for_each(self):
        states = []

        class Look(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                states.append(dropout.seed_generator.state.numpy())

        for count in (1, 4):
            dropout = keras.layers.Dropout(0.5)
            fit(
                network(dropout),
                batches().take(1),
                micro_batches=count,
                fields={"epochs": 1},
                callbacks=[Look()],
            )
        # A draw adds one to the second part of the state.
        self.assertEqual((states[1] - states[0]).tolist(), [0, 3])

    def test_a_loss_that_is_no_mean_is_refused(self):
        in_sum = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="sum"
        )
        for loss, message in (
            (in_sum, "reduction='sum'"),
            (lambda labels, outputs: tf.reduce_max(outputs), "one number"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                fit(network(), micro_batches=2, loss=loss)


if __name__ == "__main__":
    absltest.main()
