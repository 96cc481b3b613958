"""Statistics of BatchNormalization, estimated anew on training batches."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

# The paper below finds a thousand images enough for a stable estimate.
ENOUGH_EXAMPLES = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class MovingStatistics:
    """The statistics that one normalisation keeps.

    Attributes:
        mean: A `keras.Variable`.
        variance: Another of the same shape.
        kept: The share of the old values that is left after a training step,
            or None if only the module that holds them knows.
    """

    mean: keras.Variable
    variance: keras.Variable
    kept: float | None


class ReestimateStatistics(keras.callbacks.Callback):
    """Estimates the moving statistics of what trains before validation.

    They move towards each batch's by a small share, so that they describe the
    weights of many steps ago; at the momentum of 0.999 that some Applications
    and modules have, a short fine-tuning is over before they arrive. The
    estimate here is of the weights as they are.

    Args:
        training_model: A `TrainingModel`.
        observe: What `observer` gives for it.
        batches: Called with the number of the epoch (from 0); gives the
            training batches to estimate on, as a `tf.data.Dataset`.
        validates: Whether each epoch ends with a validation. If not, the
            estimate is made at the end of each epoch.

    Reference:
        Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021,
        https://arxiv.org/abs/2105.07576
    """

    def __init__(self, training_model, observe, batches, validates: bool):
        super().__init__()
        self._statistics = trained_statistics(training_model)
        self._observe = observe
        self._batches = batches
        self._validates = validates
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_test_begin(self, logs=None):
        self._estimate()

    def on_epoch_end(self, epoch, logs=None):
        if not self._validates:
            self._estimate()

    def _estimate(self):
        before = [
            (one.mean.numpy(), one.variance.numpy()) for one in self._statistics
        ]
        try:
            after = self._estimated()
        except BaseException:
            # Interrupted half way, they would be one batch's.
            _assign(self._statistics, before)
            raise
        _assign(
            self._statistics,
            [
                old if new is None else new
                for old, new in zip(before, after, strict=True)
            ],
        )

    def _estimated(self) -> list:
        """Mean and variance of each; None where the module keeps none."""
        # For each batch and each normalisation: mean and mean of squares.
        seen, sizes, shares = [], [], None
        for inputs, *_ in self._batches(self._epoch):
            if shares is None:
                shares = self._shares(inputs)
            moments = self._observe(inputs, 0.0)
            seen.append(
                [
                    _moments(mean, variance, share)
                    for (mean, variance), share in zip(
                        moments, shares, strict=True
                    )
                ]
            )
            sizes.append(len(keras.tree.flatten(inputs)[0]))
            if sum(sizes) >= ENOUGH_EXAMPLES:
                break
        estimated = []
        for moments, share in zip(zip(*seen, strict=True), shares, strict=True):
            mean, of_squares = np.average(moments, axis=0, weights=sizes)
            variance = np.maximum(of_squares - np.square(mean), 0.0)
            estimated.append((mean, variance) if share else None)
        return estimated

    def _shares(self, inputs) -> list[float]:
        """By how much a training step moves each to the batch's own."""
        if all(one.kept is not None for one in self._statistics):
            return [1.0 - one.kept for one in self._statistics]
        # What is left of a one is the share that a module keeps. Momentums
        # have few digits, and rounding takes off the float's error.
        from_zero = self._observe(inputs, 0.0)
        from_one = self._observe(inputs, 1.0)
        shares = []
        for one, (zero, _), (full, _) in zip(
            self._statistics, from_zero, from_one, strict=True
        ):
            kept = one.kept
            if kept is None:
                kept = round(float(np.median(full - zero)), 4)
            shares.append(1.0 - kept)
        return shares


def trained_statistics(training_model) -> list[MovingStatistics]:
    """The moving statistics of what trains in a `TrainingModel`."""
    operations = training_model.operations
    calls = [id(operation) for operation in operations]
    found = {}
    for operation in operations:
        if not training_model.trains(operation):
            continue
        if not getattr(operation, "trainable", True):
            continue
        if isinstance(operation, keras.layers.BatchNormalization):
            kept = operation.momentum ** calls.count(id(operation))
            pairs = [(operation.moving_mean, operation.moving_variance)]
        else:
            kept = None
            pairs = getattr(operation, "moving_statistics", ())
        if kept != 1.0:
            found[id(operation)] = [
                MovingStatistics(mean, variance, kept)
                for mean, variance in pairs
            ]
    return [one for several in found.values() for one in several]


def _assign(statistics, values):
    for one, (mean, variance) in zip(statistics, values, strict=True):
        one.mean.assign(mean)
        one.variance.assign(variance)


def _moments(mean, variance, share):
    """Mean and mean of squares of a batch, in float64.

    A variance is a small difference of large squares.
    """
    if not share:
        return np.zeros((2, *mean.shape))
    mean = mean.astype("float64") / share
    variance = variance.astype("float64") / share
    return np.stack([mean, variance + np.square(mean)])


def observer(training_model):
    """From a batch and a start to what a training step makes of the start."""
    statistics = trained_statistics(training_model)
    trained = {
        id(operation)
        for operation in training_model.operations
        if training_model.trains(operation)
        and (
            isinstance(operation, keras.layers.BatchNormalization)
            or getattr(operation, "moving_statistics", ())
        )
    }

    def walk(inputs):
        training_model.walk(inputs, lambda operation: id(operation) in trained)

    # Converting all of Keras' layers would take as long as tracing them.
    @tf.function(reduce_retracing=True, autograph=False)
    def step(inputs, start):
        # From zero, one call moves the statistics to the batch's own, times
        # the share that does not stay: the layer itself is the one to say
        # what they are, whatever its axes and masks.
        for one in statistics:
            one.mean.assign(tf.fill(one.mean.shape, start))
            one.variance.assign(tf.fill(one.variance.shape, start))
        # A module can be called by a replica only, and not above them all.
        tf.distribute.get_strategy().run(walk, (inputs,))
        return [(one.mean.value, one.variance.value) for one in statistics]

    def observe(inputs, start: float):
        return [
            (mean.numpy(), variance.numpy())
            for mean, variance in step(inputs, tf.constant(start))
        ]

    return observe
