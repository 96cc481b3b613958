import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.tuning import Phase
from tl_keras.tuning import Plan

_RNG = np.random.default_rng(0)
# Three batches of eight.
INPUTS = _RNG.normal(size=(24, 6)).astype("float32")
LABELS = np.arange(24) % 3


def network():
    def start(seed):
        return keras.initializers.HeNormal(seed)

    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(
                8, "relu", name="first", kernel_initializer=start(0)
            ),
            keras.layers.Dense(8, name="body", kernel_initializer=start(1)),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(3, name="head", kernel_initializer=start(2)),
        ]
    )


def batches():
    whole = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS))
    return whole.batch(8)


def phase(**fields):
    return Phase(
        **{
            "name": "a",
            "train": "body",
            "epochs": 3,
            "learning_rate": 0.1,
            **fields,
        }
    )


def fit(model, plan, **options):
    groups = {"first": ["first"], "body": ["body", "norm"], "head": ["head"]}
    return tl_keras.fit(
        model, batches(), plan, **{"groups": groups, "verbose": 0, **options}
    )


class Recorder(keras.callbacks.Callback):
    """Weights after each step, and at the end of each epoch."""

    def __init__(self, model):
        super().__init__()
        self._network = model
        self.steps, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self._network.get_weights())

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self._network.get_weights())


def averaged(start, steps, decay):
    """The averages after each step, in NumPy."""
    average, found = [w.astype("float64") for w in start], []
    for t, weights in enumerate(steps):
        kept = min(decay, (1 + t) / (10 + t))
        average = [
            kept * a + (1 - kept) * w
            for a, w in zip(average, weights, strict=True)
        ]
        found.append(average)
    return found


def trained(model) -> list[int]:
    """Which of the weights train: not the first layer's, no statistics."""
    return [
        number
        for number, weight in enumerate(model.weights)
        if weight.trainable and "first" not in weight.path
    ]


class AveragesTest(parameterized.TestCase):
    # In nine steps the share that is kept rises to a half.
    @parameterized.parameters(0.4, 0.999)
    def test_are_those_that_numpy_finds(self, decay):
        model = network()
        start = model.get_weights()
        recorder = Recorder(model)
        fit(model, phase(weights_average=decay), callbacks=[recorder])
        expected = averaged(start, recorder.steps, decay)
        for number in trained(model):
            # At the end of each epoch, and of the phase.
            for epoch, weights in enumerate(recorder.epochs):
                np.testing.assert_allclose(
                    weights[number], expected[3 * epoch + 2][number], atol=1e-6
                )
            np.testing.assert_allclose(
                model.weights[number].numpy(), expected[-1][number], atol=1e-6
            )
        # The weights themselves are elsewhere, lest this be true of anything.
        ahead = recorder.steps[-1][-2] - expected[-1][-2]
        self.assertGreater(np.abs(ahead).max(), 1e-3)
        for number in (0, 1):
            np.testing.assert_array_equal(
                model.weights[number].numpy(), start[number]
            )

    def test_leave_the_training_as_it_is(self):
        steps = []
        for fields in ({}, {"weights_average": 0.9}):
            model = network()
            recorder = Recorder(model)
            fit(
                model,
                phase(**fields),
                callbacks=[recorder],
                validation_data=batches(),
            )
            # What trains: statistics are estimated for what is validated.
            steps.append(
                [[w[n] for n in trained(model)] for w in recorder.steps]
            )
        self.assertLen(steps[0], 9)
        for one, other in zip(*steps, strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)

    def test_are_what_is_validated_and_kept(self):
        model = network()
        recorder = Recorder(model)
        result = fit(
            model,
            # At this rate the loss is best early.
            phase(weights_average=0.3, learning_rate=1.0, epochs=4),
            callbacks=[recorder],
            validation_data=batches(),
            monitor="val_loss",
        )
        losses = [row["val_loss"] for row in result.history]
        best = int(np.argmin(losses))
        self.assertLess(best, 3)
        for value, weight in zip(
            recorder.epochs[best], model.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(value, weight)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        for weights, expected in zip(recorder.epochs, losses, strict=True):
            model.set_weights(weights)
            found = loss(LABELS, model(INPUTS, training=False))
            self.assertAlmostEqual(float(found), expected, places=5)

    @parameterized.parameters(True, False)
    def test_have_statistics_of_their_own(self, validates):
        model = network()
        options = {"validation_data": batches()} if validates else {}
        fit(model, phase(weights_average=0.9, epochs=1), **options)
        reaching = keras.Model(model.inputs, model.get_layer("body").output)
        hidden = reaching(INPUTS).numpy()
        norm = model.get_layer("norm")
        np.testing.assert_allclose(
            norm.moving_mean.numpy(), hidden.mean(axis=0), atol=1e-5
        )
        np.testing.assert_allclose(
            norm.moving_variance.numpy(), hidden.var(axis=0), atol=1e-4
        )

    def test_are_where_the_next_phase_begins(self):
        model = network()
        recorder = Recorder(model)
        plan = Plan(
            "p",
            [
                phase(name="a", weights_average=0.9),
                phase(name="b", learning_rate=1e-12, weight_decay=0.0),
            ],
        )
        fit(model, plan, callbacks=[recorder])
        for number in trained(model):
            np.testing.assert_allclose(
                recorder.epochs[2][number], recorder.steps[-1][number], 1e-6
            )

    def test_of_adapters_leave_the_change_of_low_rank(self):
        model = network()
        start = model.get_layer("body").kernel.numpy()
        fit(model, phase(weights_average=0.5, lora_rank=2))
        change = model.get_layer("body").kernel.numpy() - start
        self.assertEqual(np.linalg.matrix_rank(change, tol=1e-5), 2)

    def test_of_pruned_kernels_are_zero_where_they_are(self):
        model = network()
        result = fit(model, phase(weights_average=0.9, pruning=0.5))
        self.assertEqual(np.sum(model.get_layer("body").kernel == 0), 32)
        self.assertEqual(result.phases[0].sparsity, 0.5)

    def test_begin_anew_in_another_fit_of_the_model(self):
        found, model = [], network()
        start = model.get_weights()
        for _ in range(2):
            model.set_weights(start)
            fit(model, phase(weights_average=0.9))
            found.append(model.get_weights())
        for a, b in zip(*found, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_of_the_optimizer_beside_them_are_refused(self):
        fields = {"weights_average": 0.9, "optimizer_options": {"use_ema": 1}}
        with self.assertRaisesRegex(ValueError, "averages weights twice"):
            fit(network(), phase(**fields))


if __name__ == "__main__":
    absltest.main()
