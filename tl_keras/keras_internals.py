"""Keras' private names, all of them, and what they are needed for."""

import keras
import tensorflow as tf


def loss_tracker(model):
    """The metric that `fit` and `evaluate` show as the loss of a model.

    Keras' own steps update it; a step of one's own has no other way to.
    """
    return model._loss_tracker


def first_part(iterator):
    """What the first replica of this process gets of the first batch.

    Keras averages the replicas' parts of it to find out its form, which fails
    where they are strings (https://github.com/keras-team/keras/issues/21172),
    where they differ in size, and over several workers
    (https://github.com/keras-team/keras/issues/20585).

    Args:
        iterator: What Keras gives `_maybe_symbolic_build`.
    """
    local_results = tf.distribute.get_strategy().experimental_local_results
    for _, _, batches in iterator:
        return keras.tree.map_structure(
            lambda value: local_results(value)[0], next(batches)
        )
