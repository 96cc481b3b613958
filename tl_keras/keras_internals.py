"""Keras' private names, all that are used here, and what for.

When a new version of Keras breaks something, look here first. Where Keras is
to blame, the issue is named, and `tests/keras_internals_test.py` has a test
that fails as soon as Keras mends it: then the remedy can go.
"""

import contextlib
import threading

import tensorflow as tf
from keras.src.applications import imagenet_utils
from keras.src.backend import config
from keras.src.utils import file_utils

_REPLACING = threading.RLock()

# The graph of a model: Keras shows its layers, but not how they are connected.


def layers_within(layer) -> list:
    """A layer and all layers inside of it, whatever its class."""
    return list(layer._flatten_layers())


def producer_of(tensor):
    """The operation whose output a symbolic tensor is."""
    return tensor._keras_history.operation


def has_mask(tensor) -> bool:
    """Whether a mask goes with a symbolic tensor."""
    return getattr(tensor, "_keras_mask", None) is not None


def functional_of(sequential):
    """The Functional model inside a built Sequential, or None."""
    return getattr(sequential, "_functional", None)


def is_functional(operation) -> bool:
    """Whether an operation is a model with a graph of its own."""
    return hasattr(operation, "_nodes_by_depth")


def nodes_of(model):
    """The calls of operations in a Functional model, producers first."""
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def run_through_graph(model, inputs, operation_of):
    """Computes a Functional model with other operations in place of its own.

    Args:
        model: The model.
        inputs: Its inputs.
        operation_of: From an operation of the model to what is called.
    """
    return model._run_through_graph(inputs, operation_fn=operation_of)


def inputs_structure(model):
    """The inputs of a Functional model in the structure it was made with."""
    return model._inputs_struct


def outputs_structure(model):
    """Its outputs likewise."""
    return model._outputs_struct


# Variables: whether Keras has copied one, and which of an optimizer's it is.


def tensorflow_variable(variable):
    """The `tf.Variable` of a Keras variable, not cast by any policy."""
    return variable._value


def key_of(optimizer, variable) -> str:
    """What an optimizer knows a variable by.

    In `update_step` the variable is a `tf.Variable` without Keras' path,
    under a strategy one replica's part; this key is that of the whole.
    """
    return optimizer._var_key(variable)


class SumsGradients:
    """To be put in front of an optimizer class: sees gradients as summed.

    Keras clips each replica's gradients before it adds them up, which gives
    other steps than one device takes.
    """

    def with_summed(self, gradients: list) -> list:
        """What takes the place of the gradients that all replicas have."""
        return gradients

    def _all_reduce_sum_gradients(self, grads_and_vars):
        summed = super()._all_reduce_sum_gradients(grads_and_vars)
        gradients = self.with_summed([gradient for gradient, _ in summed])
        return [
            (gradient, variable)
            for gradient, (_, variable) in zip(gradients, summed, strict=True)
        ]


# Training on several replicas.


def loss_tracker(model):
    """The metric that `fit` and `evaluate` show as the loss of a model.

    Keras' own steps update it; a step of one's own has no other way to.
    """
    return model._loss_tracker


class BuiltFromOnePart:
    """To be put in front of `keras.Model`: is built from one replica's part.

    Before the first step, Keras averages the parts that the replicas have of
    a batch, to learn its form. That fails where they are strings
    (https://github.com/keras-team/keras/issues/21172), where they differ in
    size, and over several workers
    (https://github.com/keras-team/keras/issues/20585).
    """

    def batch_of(self, part):
        """A batch as Keras takes it, from what one replica gets."""
        return part

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if iterator is not None and tf.distribute.has_strategy():
            data_batch, iterator = self.batch_of(_first_part(iterator)), None
        super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)


def _first_part(iterator):
    local_results = tf.distribute.get_strategy().experimental_local_results
    for _, _, batches in iterator:
        return tf.nest.map_structure(
            lambda value: local_results(value)[0], next(batches)
        )


# Files, and sizes of images, for which the Applications have no hook: each of
# them looks the function up in its module when it is called.


def home() -> str:
    """The folder of Keras, which may begin with `~`."""
    return config.keras_home()


def is_whole(path: str, file_hash: str) -> bool:
    """Whether a file has a hash, as Keras names them."""
    return file_utils.validate_file(path, file_hash)


def get_file():
    """The function by which Keras downloads at the moment."""
    return file_utils.get_file


def downloading_by(function):
    """A context in which Keras downloads by another function."""
    return _replaced(file_utils, "get_file", function)


def finding_sizes_by(function):
    """A context in which the Applications check image sizes by another one."""
    return _replaced(imagenet_utils, "obtain_input_shape", function)


@contextlib.contextmanager
def _replaced(module, name, function):
    with _REPLACING:
        original = getattr(module, name)
        setattr(module, name, function)
        try:
            yield
        finally:
            setattr(module, name, original)
