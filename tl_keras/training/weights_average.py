"""Moving averages of weights, which stand in for them in validation."""

import dataclasses

import keras
import tensorflow as tf

from tl_keras.training import variable_values


class WeightsAverage:
    """An exponential moving average of what trains in a phase.

    It is brought up to date at the end of each training step, within its
    graph:

        average += (1 - min(decay, (1 + t) / (10 + t))) * (weight - average)

    with `t` the steps before this one. So it forgets the first weights fast,
    and reaches the full `decay` after about `10 / (1 - decay)` steps.

    Args:
        variables: The `keras.Variable`s that move: weights, and what adapters
            have.
        decay: The share of the average that is left after a step, in (0, 1).
        adapters: `lora.Adapter`s whose `a` and `b` are among the variables;
            their kernels are given the product of the averages.

    Example:
        >>> weight = keras.Variable([1.0])
        >>> average = WeightsAverage([weight], decay=0.5)
        >>> _ = weight.assign([11.0])
        >>> average.after_step()
        >>> average.put_in()
        >>> round(float(weight.numpy()[0]), 3)
        10.0
        >>> average.put_back()
        >>> float(weight.numpy()[0])
        11.0

    Reference:
        Polyak and Juditsky, "Acceleration of Stochastic Approximation by
        Averaging", SIAM J. Control Optim. 30(4), 1992; the rise of the decay
        is that of `tf.train.ExponentialMovingAverage`.
    """

    def __init__(self, variables, decay: float, adapters=()):
        self._moved = list(variables)
        self._decay = decay
        self._averages = [
            keras.Variable(
                variable.numpy(),
                dtype=variable.dtype,
                trainable=False,
                name="average",
            )
            for variable in self._moved
        ]
        self._done = keras.Variable(
            0, dtype="int64", trainable=False, name="steps"
        )
        average_of = {
            id(variable): average
            for variable, average in zip(
                self._moved, self._averages, strict=True
            )
        }
        of_adapters = {id(v) for one in adapters for v in (one.a, one.b)}
        # From a weight of the model to what gives its average.
        self._shown = [
            (variable, lambda average=average: average.value)
            for variable, average in zip(
                self._moved, self._averages, strict=True
            )
            if id(variable) not in of_adapters
        ] + [
            (
                one.kernel,
                dataclasses.replace(
                    one, a=average_of[id(one.a)], b=average_of[id(one.b)]
                ).value,
            )
            for one in adapters
        ]
        self._own = None

    @property
    def variables(self) -> list:
        """What a step changes beside the weights."""
        return [self._done, *self._averages]

    def restart(self):
        """Begins a phase, in place: the averages are what the weights are."""
        self._own = None
        self._done.assign(0)
        for average, variable in zip(self._averages, self._moved, strict=True):
            average.assign(variable.numpy())

    def after_step(self):
        """Ends a training step, in place. Runs within its graph."""
        # As Keras' optimizers assign: where replicas may not do so each for
        # itself, all of them together.
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._update, tf.distribute.get_strategy()
        )

    def put_in(self):
        """Gives the model the averages, in place, and keeps its weights."""
        if self._own is not None:
            return
        shown = [weight for weight, _ in self._shown]
        self._own = variable_values.get(shown)
        for weight, average in self._shown:
            weight.assign(average())

    def put_back(self):
        """Gives the model the weights that `put_in` took, in place."""
        if self._own is None:
            return
        shown = [weight for weight, _ in self._shown]
        variable_values.put(shown, self._own)
        self._own = None

    def _update(self, strategy):
        done = tf.cast(self._done.value, "float32")
        kept = tf.minimum(self._decay, (1.0 + done) / (10.0 + done))

        def move(average, weight, share):
            average.assign_add(
                (weight - average) * tf.cast(share, weight.dtype)
            )

        def count(done, more):
            done.assign_add(more)

        def update(variable, change, *values):
            strategy.extended.update(
                variable.value, change, args=values, group=False
            )

        for average, variable in zip(self._averages, self._moved, strict=True):
            update(average, move, variable.value, 1.0 - kept)
        update(self._done, count, tf.constant(1, "int64"))


class ShowAverages(keras.callbacks.Callback):
    """Has validation, and what comes at the end of an epoch, see averages.

    It has to come first, and `HideAverages` after all that is to see them.

    Args:
        average: A `WeightsAverage`.
        pruner: The `Pruner` of the phase, or None: averages of what came to
            be zero are not zero yet.
    """

    def __init__(self, average: WeightsAverage, pruner=None):
        super().__init__()
        self._average = average
        self._pruner = pruner

    def on_test_begin(self, logs=None):
        self._show()

    def on_epoch_end(self, epoch, logs=None):
        self._show()

    def on_train_end(self, logs=None):
        self._show()

    def _show(self):
        self._average.put_in()
        if self._pruner is not None:
            self._pruner.apply()


class HideAverages(keras.callbacks.Callback):
    """Has the next epoch go on with the weights that train.

    Args:
        average: A `WeightsAverage`.
    """

    def __init__(self, average: WeightsAverage):
        super().__init__()
        self._average = average

    def on_epoch_end(self, epoch, logs=None):
        self._average.put_back()
