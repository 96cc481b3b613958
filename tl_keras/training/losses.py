"""Loss and accuracy that take class numbers or class probabilities.

Label smoothing, MixUp and CutMix turn the training labels into
probabilities, while validation keeps the class numbers: one loss and one
metric serve both.
"""

import keras
from keras import ops

# Of means over parts, the mean over the batch follows.
_REDUCTIONS = ("sum_over_batch_size", "mean")


@keras.saving.register_keras_serializable("tl_keras")
class Crossentropy(keras.losses.Loss):
    """Cross-entropy of labels given as class numbers or probabilities.

    Args:
        from_logits: Whether predictions lack their softmax.

    Example:
        >>> import numpy as np
        >>> loss = Crossentropy()
        >>> logits = np.array([[2.0, 0.0]], "float32")
        >>> by_number = float(loss(np.array([0]), logits))
        >>> by_number == float(loss(np.array([[1.0, 0.0]]), logits))
        True
    """

    def __init__(self, from_logits: bool = True, name="crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        return ops.categorical_crossentropy(
            class_probabilities(y_true, ops.shape(y_pred)[-1], y_pred.dtype),
            y_pred,
            from_logits=self.from_logits,
        )

    def get_config(self):
        return {**super().get_config(), "from_logits": self.from_logits}


def class_probabilities(labels, num_classes: int, dtype="float32"):
    """Labels as one probability a class.

    Args:
        labels: Class numbers `(batch,)` or `(batch, 1)`, or probabilities
            `(batch, num_classes)`.
        num_classes: Number of classes.
        dtype: Of the result.

    Returns:
        Tensor `(batch, num_classes)`.

    Example:
        >>> class_probabilities([1], 3).numpy().tolist()
        [[0.0, 1.0, 0.0]]
    """
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) == 2 and labels.shape[-1] == num_classes:
        return ops.cast(labels, dtype)
    if len(labels.shape) == 2:
        labels = ops.squeeze(labels, axis=-1)
    return ops.one_hot(labels, num_classes, dtype=dtype)


def accuracy(y_true, y_pred):
    """Whether the most probable class is the right one, per example.

    Args:
        y_true: Class numbers `(batch,)` or probabilities
            `(batch, num_classes)`.
        y_pred: Logits or probabilities `(batch, num_classes)`.

    Returns:
        Float tensor `(batch,)` of 0 and 1.

    Example:
        >>> accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]]).numpy().tolist()
        [1.0, 0.0]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    right = class_probabilities(y_true, y_pred.shape[-1])
    hit = ops.equal(ops.argmax(right, axis=-1), ops.argmax(y_pred, axis=-1))
    return ops.cast(hit, "float32")


def check_shared(loss, labels, model):
    """Refuses a loss that cannot be computed on parts of a batch.

    Replicas have a part each, and so have micro-batches.

    The mean over a batch follows from means over its parts, since their sizes
    are known. Other reductions do not go with parts; and of one number for a
    whole batch, Keras adds up that of all replicas, where it is NaN for a
    replica without examples
    (https://github.com/keras-team/keras/issues/21467).

    Args:
        loss: A Keras loss, as `compile` takes it.
        labels: The labels of one batch.
        model: A `keras.Model`.

    Raises:
        ValueError: If it is such a loss.

    Example:
        >>> from keras import ops
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.ReLU()])
        >>> def error(labels, outputs):
        ...     return ops.mean(ops.square(labels - outputs))
        >>> try:
        ...     check_shared(error, ops.ones((4, 3)), model)
        ... except ValueError as refusal:
        ...     print(str(refusal)[:41])
        `loss` gives one number for a whole batch
    """
    if not (callable(loss) or isinstance(loss, str)):
        return  # Losses of several outputs.
    loss = keras.losses.get(loss)
    reduction = getattr(loss, "reduction", _REDUCTIONS[0])
    if reduction not in _REDUCTIONS:
        raise ValueError(
            "Replicas and micro-batches have a part of the batch each, and of "
            "losses only a mean over the examples can be put together. Got a "
            f"`loss` with reduction={reduction!r}. Expected one of: "
            f"{', '.join(map(repr, _REDUCTIONS))}."
        )
    shape = model.output_shape
    if not isinstance(shape, tuple) or None in shape[1:]:
        return
    count = min(2, labels.shape[0])
    outputs = ops.full((count, *shape[1:]), 0.5)
    of_example = loss.call if isinstance(loss, keras.losses.Loss) else loss
    if not ops.shape(of_example(labels[:count], outputs)):
        raise ValueError(
            "`loss` gives one number for a whole batch, of which replicas and "
            "micro-batches have a part each. Expected a number for each "
            "example, e.g. `keras.ops.mean(errors, axis=-1)`: the mean over "
            "the batch is taken afterwards."
        )
