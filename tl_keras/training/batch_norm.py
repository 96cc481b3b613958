"""Statistics of BatchNormalization, estimated anew on training batches."""

import keras
import numpy as np
import tensorflow as tf

from tl_keras import graph

# The paper below finds a thousand images enough for a stable estimate.
ENOUGH_EXAMPLES = 2048


class ReestimateStatistics(keras.callbacks.Callback):
    """Estimates the moving statistics of trained layers before validation.

    Keras moves them towards each batch's by `1 - momentum`, so that they
    describe the weights of many steps ago; at the momentum of 0.999 that
    some Applications have, a short fine-tuning is over before they arrive.
    The estimate here is of the weights as they are.

    Args:
        training_model: A `TrainingModel`.
        batches: Called with the number of the epoch (from 0); gives the
            training batches to estimate on, as a `tf.data.Dataset`.
        validates: Whether each epoch ends with a validation. If not, the
            estimate is made at the end of each epoch.

    Reference:
        Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021,
        https://arxiv.org/abs/2105.07576
    """

    def __init__(self, training_model, batches, validates: bool):
        super().__init__()
        self._training_model = training_model
        self._observe = _observer(training_model)
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
        # For each batch, and in it for each layer: mean and mean of squares.
        seen, sizes = [], []
        layers = trained_layers(self._training_model)
        before = [layer.get_weights() for layer in layers]
        try:
            for images, *_ in self._batches(self._epoch):
                seen.append(
                    [
                        np.stack([mean, variance + np.square(mean)])
                        for mean, variance in _to_float64(self._observe(images))
                    ]
                )
                sizes.append(len(keras.tree.flatten(images)[0]))
                if sum(sizes) >= ENOUGH_EXAMPLES:
                    break
        except BaseException:
            # Interrupted half way, the layers hold one batch's statistics.
            for layer, weights in zip(layers, before, strict=True):
                layer.set_weights(weights)
            raise
        for layer, moments in zip(layers, zip(*seen, strict=True), strict=True):
            mean, mean_of_squares = np.average(moments, axis=0, weights=sizes)
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(
                np.maximum(mean_of_squares - np.square(mean), 0.0)
            )


def trained_layers(training_model) -> list:
    """The BatchNormalization layers that train in a `TrainingModel`."""
    return list(
        {
            id(operation): operation
            for operation, _ in graph.operations(training_model.network)
            if isinstance(operation, keras.layers.BatchNormalization)
            and training_model.trains(operation)
            and operation.trainable
            and operation.momentum < 1.0
        }.values()
    )


def _observer(training_model):
    """A function from a batch of images to the statistics at each layer."""
    layers = trained_layers(training_model)
    ids = {id(layer) for layer in layers}
    calls = [id(op) for op, _ in graph.operations(training_model.network)]

    @tf.function(reduce_retracing=True)
    def observe(images):
        # From zero, one call moves the statistics to the batch's own, times
        # `1 - momentum`: the layer itself is the one to say what they are,
        # whatever its axes and masks.
        for layer in layers:
            layer.moving_mean.assign(keras.ops.zeros_like(layer.moving_mean))
            layer.moving_variance.assign(
                keras.ops.zeros_like(layer.moving_variance)
            )
        training_model.walk(images, lambda operation: id(operation) in ids)
        seen = []
        for layer in layers:
            share = 1.0 - layer.momentum ** calls.count(id(layer))
            seen.append(
                (
                    layer.moving_mean.value / share,
                    layer.moving_variance.value / share,
                )
            )
        return seen

    return observe


def _to_float64(pairs):
    # A variance is a small difference of large squares.
    return [
        (mean.numpy().astype("float64"), variance.numpy().astype("float64"))
        for mean, variance in pairs
    ]
