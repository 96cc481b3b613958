"""A copy of a model, weights included, whose layers read something else."""

import keras
import numpy as np


def copy(model, pixels, change_input) -> keras.Model:
    """Copies a Functional model onto another input, with its weights.

    Use it to put preprocessing in front of a network, in one flat graph.

    Args:
        model: A Functional `keras.Model` with one input. Stays as it is.
        pixels: The copy's `keras.Input`.
        change_input: A function `(operation, tensor) -> tensor`, asked for
            every tensor that an operation of the copy is about to read; gives
            back what it shall read instead, or the same tensor. Where a layer
            gets more input channels than before, the weights for the new ones,
            which come last, are zero.

    Returns:
        A Functional `keras.Model` from `pixels` with layers of its own, named
        as in `model`.

    Example:
        >>> import keras
        >>> pixels = keras.Input((2,))
        >>> model = keras.Model(pixels, keras.layers.Dense(1)(pixels))
        >>> other = keras.Input((2,))
        >>> twin = copy(model, other, lambda operation, tensor: tensor)
        >>> twin.count_params() == model.count_params()
        True
    """

    def call(operation, *args, **kwargs):
        def change(value):
            if not isinstance(value, keras.KerasTensor):
                return value
            return change_input(operation, value)

        args, kwargs = keras.tree.map_structure(change, (args, kwargs))
        return operation(*args, **kwargs)

    copied = keras.models.clone_model(
        model,
        # In the form that `model` was made with, e.g. a list of one tensor.
        input_tensors=keras.tree.map_structure(lambda _: pixels, model.input),
        clone_function=_clone_layer,
        call_function=call,
    )
    copied = keras.Model(pixels, copied.outputs[0], name=model.name)
    for layer in model.layers:
        if layer.weights:
            _copy_weights(layer, copied.get_layer(layer.name))
    return copied


def _clone_layer(layer):
    if type(layer) is keras.Sequential:
        # Its config would build it for as many channels as before.
        inner = [_clone_layer(one) for one in layer.layers]
        return keras.Sequential(inner, name=layer.name)
    return type(layer).from_config(layer.get_config())


def _copy_weights(source, target):
    for old, new in zip(source.weights, target.weights, strict=True):
        value = keras.ops.convert_to_numpy(old)
        if old.shape != new.shape:
            # A kernel: [height, width, input channels, filters].
            missing = new.shape[-2] - old.shape[-2]
            value = np.pad(value, [(0, 0), (0, 0), (0, missing), (0, 0)])
        new.assign(value)
