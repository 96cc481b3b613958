"""A classifier as a function from inputs to logits, of any inner value."""

import keras
import numpy as np
import tensorflow as tf
from scipy import special

from tl_keras import graph
from tl_keras import models
from tl_keras.training import training_model

BATCH_SIZE = 32


class ClassScores:
    """What a classifier says of its classes, before any softmax.

    The slope of a probability is nearly zero where a model is sure, so
    explanations follow the logit. Where a model ends in a softmax or sigmoid,
    nested or not, the graph is cut in front of it.

    Args:
        model: A Functional or built Sequential `keras.Model` with one input
            and one output `[batch, num_classes]`, logits or probabilities.

    Raises:
        TypeError: If `model` is no such model: the layers of a subclassed one
            are not known as a graph.
        ValueError: If it has several inputs or outputs, or is no classifier,
            or if its last layer does not tell what its outputs are.

    Example:
        >>> import keras
        >>> inputs = keras.Input((2,))
        >>> dense = keras.layers.Dense(3, activation="softmax")
        >>> scores = ClassScores(keras.Model(inputs, dense(inputs)))
        >>> dense.set_weights([np.eye(2, 3), np.zeros(3)])
        >>> scores.logits(np.array([[2.0, 5.0]])).numpy().tolist()
        [[2.0, 5.0, 0.0]]
    """

    def __init__(self, model):
        _check(model)
        self.model = model
        self.activation = models.last_activation(model)
        self.graph, self._bare = _up_to_logits(model, self.activation)
        self._traced = {}

    def logits(self, inputs):
        """Logits, float32 `[batch, num_classes]`, as a graph of TensorFlow.

        Args:
            inputs: A batch as the model takes it.
        """
        return self.logits_through(inputs)[0]

    def logits_through(self, inputs, value=None, watch=None):
        """Logits, and what comes by at one place on the way to them.

        Args:
            inputs: A batch as the model takes it.
            value: A `graph.Value` of `self.graph`, or None.
            watch: Called with the tensor of `value` before it is used; what
                it returns is used in its place. None: it is used as it is.

        Returns:
            `(logits, tensor)`, the tensor None without `value`.
        """
        tensors = graph.as_declared(self.model, inputs)
        values = dict(zip(self.graph.inputs, tensors, strict=True))
        for call in self.graph.calls:
            call.run(values, self._call)
            if watch is not None and value in call.writes:
                values[value] = watch(values[value])
        logits = tf.cast(values[self.graph.outputs[0]], tf.float32)
        return logits, values.get(value)

    def all_logits(self, inputs) -> np.ndarray:
        """Logits, float32 `[examples, num_classes]`, computed in batches.

        Args:
            inputs: Any number of inputs.
        """
        return self.in_batches("logits", self.logits, inputs)

    def probabilities(self, inputs) -> np.ndarray:
        """Probabilities, float32 `[examples, num_classes]`.

        Args:
            inputs: Any number of inputs.
        """
        return self.as_probabilities(self.all_logits(inputs))

    def as_probabilities(self, logits) -> np.ndarray:
        """What the model makes of logits `[rows, num_classes]`."""
        if self.activation == "sigmoid":
            return special.expit(logits)
        return special.softmax(logits, axis=1)

    def in_batches(self, name, function, inputs, classes=None) -> np.ndarray:
        """What a function of batches gives for all inputs.

        Args:
            name: What to keep the traced function under: whoever asks again
                does not wait for TensorFlow again.
            function: From a batch of inputs, and one of int64 classes where
                there are any, to a tensor `[batch, ...]`.
            inputs: Any number of inputs.
            classes: An int64 array of that length, or None.
        """
        if name not in self._traced:
            taken = self.model.inputs[0]
            signature = [tf.TensorSpec(taken.shape, taken.dtype)]
            if classes is not None:
                signature.append(tf.TensorSpec([None], tf.int64))
            self._traced[name] = tf.function(function, signature)
        arrays = [inputs] if classes is None else [inputs, classes]
        dtypes = [self.model.inputs[0].dtype, "int64"]
        results = []
        for start in range(0, len(inputs), BATCH_SIZE):
            batch = [
                tf.constant(array[start : start + BATCH_SIZE], dtype)
                for array, dtype in zip(arrays, dtypes, strict=False)
            ]
            results.append(self._traced[name](*batch).numpy())
        return np.concatenate(results)

    def chosen(self, inputs, classes=None) -> np.ndarray:
        """The class to explain for each input.

        Args:
            inputs: Inputs as the model takes them.
            classes: Class indices `[examples]`, one for all, or None for the
                predicted ones.

        Returns:
            int64 `[examples]`.

        Raises:
            ValueError: If there are not as many as inputs, or one is no class
                of the model.
        """
        if classes is None:
            return self.all_logits(inputs).argmax(axis=1)
        count = self.model.outputs[0].shape[-1]
        array = np.asarray(classes)
        if array.ndim == 0:
            array = np.full(len(inputs), array)
        valid = array.shape == (len(inputs),) and array.dtype.kind in "iu"
        if not valid or (array < 0).any() or (array >= count).any():
            raise ValueError(
                f"`classes` does not fit. Got: {classes!r} for {len(inputs)} "
                f"inputs. Expected an index from 0 to {count - 1} for each, "
                "one index for all, or None for the predicted classes."
            )
        return array.astype(np.int64)

    def _call(self, operation, *args, **kwargs):
        if operation is not self._bare:
            return training_model.infer(operation, *args, **kwargs)
        # Dense and its like apply their activation themselves. The attribute
        # is read while the call is traced, and set back at once.
        activation = operation.activation
        operation.activation = keras.activations.linear
        try:
            return training_model.infer(operation, *args, **kwargs)
        finally:
            operation.activation = activation


def of(model) -> ClassScores:
    """The `ClassScores` of a model; of one that is known already, itself."""
    return model if isinstance(model, ClassScores) else ClassScores(model)


def picked(logits, classes):
    """The logit of one class for each example, `[batch]`.

    Example:
        >>> picked(tf.constant([[1.0, 2.0], [3.0, 4.0]]), [1, 0]).numpy()
        array([2., 3.], dtype=float32)
    """
    return tf.gather(logits, classes, axis=1, batch_dims=1)


def _check(model):
    if not isinstance(model, keras.Model):
        raise TypeError(
            "What is explained must be a keras.Model. Got: "
            f"{type(model).__name__}."
        )
    graph.functional(model)
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            "Explanations are of a model with one input and one output. Got: "
            f"{len(inputs)} inputs and {len(outputs)} outputs. Choose an "
            "output with `keras.Model(model.inputs, TENSOR)`."
        )
    if len(outputs[0].shape) != 2 or outputs[0].shape[-1] is None:
        raise ValueError(
            "The model is no classifier. Got an output of shape "
            f"{tuple(outputs[0].shape)}. Expected `(batch, num_classes)`."
        )


def _up_to_logits(model, activation):
    """The graph up to the logits, and the layer whose activation is left out.

    That layer is None where the activation is an operation of its own.
    """
    whole = graph.flat(model)
    if activation is None:
        return whole, None
    made_by = {value: call for call in whole.calls for value in call.writes}
    value = whole.outputs[0]
    call = made_by[value]
    # A linear Activation may be there to make a softmax float32.
    while _name(call.operation) == "linear":
        value = call.reads[0]
        call = made_by[value]
    if getattr(call.operation, "weights", ()):
        return graph.Flat(whole.inputs, whole.calls, (value,)), call.operation
    return graph.Flat(whole.inputs, whole.calls, (call.reads[0],)), None


def _name(operation) -> str | None:
    """What an operation without weights applies, e.g. `"linear"`."""
    if getattr(operation, "weights", ()):
        return None
    activation = getattr(operation, "activation", None)
    return getattr(activation, "__name__", None)
