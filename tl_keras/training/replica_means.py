"""Variables that each replica moves by itself, brought together again."""

import keras
import tensorflow as tf


class AverageOverReplicas(keras.callbacks.Callback):
    """Gives all replicas the mean of what each has, before each validation.

    A Keras layer says how its statistics are to be aggregated. A module's own
    variables say nothing, and its moving statistics drift apart: what is saved
    would be those of one replica, which saw a part of the data.

    Args:
        variables: Variables of the model that training moves without
            gradients.
        validates: Whether each epoch ends with a validation. If not, they are
            brought together at the end of each epoch.
    """

    def __init__(self, variables, validates: bool):
        super().__init__()
        self._variables = list(variables)
        self._validates = validates

    def on_test_begin(self, logs=None):
        self._average()

    def on_epoch_end(self, epoch, logs=None):
        if not self._validates:
            self._average()

    def _average(self):
        strategy = tf.distribute.get_strategy()
        if not self._variables or strategy.num_replicas_in_sync == 1:
            return
        means = strategy.run(self._means)
        for variable, mean in zip(self._variables, means, strict=True):
            variable.assign(strategy.experimental_local_results(mean)[0])

    @tf.function
    def _means(self):
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce(
            tf.distribute.ReduceOp.MEAN,
            [tf.identity(variable.value) for variable in self._variables],
        )
