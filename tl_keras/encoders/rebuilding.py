"""A layer whose config rebuilds a layer that cannot do so by itself."""

import inspect

import keras
import numpy as np


@keras.saving.register_keras_serializable("tl_keras")
class RebuiltLayer(keras.layers.Layer):
    """Stands for another layer, in a model that is to be copied or saved.

    Keras makes a layer anew from its `get_config`. Some layers that were
    written for one model alone have other things in there than their
    constructor takes. This one writes down the constructor's arguments.

    Args:
        layer: The layer that it stands for and calls. It is built, and has
            an attribute for each argument of its constructor.
        **kwargs: Those of every Keras layer.

    Raises:
        ValueError: If `layer` has no such attribute.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self._arguments = _arguments(layer)

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build(input_shape)

    def call(self, inputs, **kwargs):
        return self.layer(inputs, **kwargs)

    def compute_output_spec(self, inputs, **kwargs):
        return self.layer.compute_output_spec(inputs, **kwargs)

    def get_config(self):
        made = type(self.layer)
        return {
            **super().get_config(),
            "layer": {
                "module": made.__module__,
                "class_name": made.__name__,
                "registered_name": keras.saving.get_registered_name(made),
                "config": {
                    name: keras.saving.serialize_keras_object(value)
                    for name, value in self._arguments.items()
                },
            },
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        inner = config.pop("layer")
        # What was asked for last is the policy of the layer around it.
        own = {"name": config["name"], "dtype": config["dtype"]}
        inner = {**inner, "config": {**inner["config"], **own}}
        return cls(keras.saving.deserialize_keras_object(inner), **config)


def rebuildable(operation):
    """The operation itself if its config rebuilds it, else a `RebuiltLayer`.

    Raises:
        ValueError: If that is impossible, too.
    """
    if can_rebuild(operation):
        return operation
    stand_in = RebuiltLayer(
        operation, name=operation.name, dtype=operation.dtype_policy
    )
    stand_in.built = True
    return stand_in


def another(layer, name: str):
    """A layer made with the same arguments, with weights of its own."""
    if can_rebuild(layer):
        return type(layer).from_config({**layer.get_config(), "name": name})
    return type(layer)(**_arguments(layer), name=name, dtype=layer.dtype_policy)


def check_copies(model, inputs):
    """Raises if a copy of the model, made from its config, answers otherwise.

    Args:
        model: A Functional `keras.Model`.
        inputs: What it takes, at least two different examples.

    Raises:
        ValueError: If it does, or cannot be made.
    """
    problem = "the copy answers otherwise"
    try:
        copied = keras.models.clone_model(model)
        for old, new in zip(model.variables, copied.variables, strict=True):
            new.assign(old)
        pair = np.asarray(copied(inputs)), np.asarray(model(inputs))
        if np.allclose(*pair, atol=1e-4, equal_nan=True):
            return
    # Whatever a constructor does with what a config has or has not.
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    raise ValueError(
        f"{model.name!r} cannot be copied or saved: its layers' configs do "
        f"not make layers like them ({problem}). Choose another network."
    )


def can_rebuild(operation) -> bool:
    """Whether the config of an operation makes another one like it."""
    try:
        type(operation).from_config(operation.get_config())
    # Whatever a constructor does with arguments that it does not expect.
    except Exception:
        return False
    return True


def is_stock(operation) -> bool:
    """Whether an operation comes with Keras itself."""
    return type(operation).__module__.split(".")[0] == "keras"


def _arguments(layer) -> dict:
    """The arguments of a layer's constructor that are its own."""
    parameters = inspect.signature(type(layer).__init__).parameters.values()
    own = [
        parameter
        for parameter in list(parameters)[1:]
        if parameter.kind
        not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and parameter.name not in ("name", "dtype")
    ]
    missing = [
        parameter.name
        for parameter in own
        if not hasattr(layer, parameter.name)
    ]
    if missing:
        raise ValueError(
            f"The layer {layer.name!r} ({type(layer).__name__}) cannot be "
            "rebuilt, so that a model with it cannot be copied or saved: "
            "neither its config nor its attributes say with what "
            f"{', '.join(missing)} it was made."
        )
    return {one.name: getattr(layer, one.name) for one in own}
