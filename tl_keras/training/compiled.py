"""Compiled training models, kept with the user's model for the next `fit`.

Building, tracing and compiling take seconds and memory that Keras does not
give back. Folds, seeds and rankings train one model many times: what they need
is its weights put back, and a fresh optimizer state.
"""

import dataclasses

import keras
import numpy as np

from tl_keras.training.training_model import TrainingModel

# Phases of the plans that one model is likely to go through.
_MOST = 16


@dataclasses.dataclass(eq=False)
class Compiled:
    """A phase's training model with its optimizer.

    Attributes:
        training_model: The compiled `TrainingModel`.
        variables: What moves: weights of the model, and adapters'.
        rest: What of the model's graph it runs, as a key.
        held: What a step reads beside these and does not change: the values
            at which adapted kernels began.
        traced: Other functions that were traced for it, by name.
    """

    training_model: TrainingModel
    variables: list
    rest: tuple | None
    held: tuple = ()
    traced: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self._start = [_value_of(v) for v in self._optimizer_variables]

    @property
    def _optimizer_variables(self):
        return self.training_model.optimizer.variables

    def restart(self):
        """Gives the optimizer the state that it began with, in place."""
        for variable, value in zip(
            self._optimizer_variables, self._start, strict=True
        ):
            if value is None:
                value = np.zeros(variable.shape, variable.dtype)
            variable.assign(value)


def find(model, key) -> Compiled | None:
    """What was kept for a model under a key, or None.

    Args:
        model: The user's model.
        key: What makes the phase, the loss and the metrics.
    """
    return _kept(model).get(key)


def keep(model, key, compiled: Compiled):
    """Keeps a compiled training model with the user's model, in place."""
    kept = _kept(model)
    kept.pop(key, None)
    while len(kept) >= _MOST:
        del kept[next(iter(kept))]
    kept[key] = compiled


def key_of(value):
    """What tells a loss or a metric from another one."""
    if isinstance(value, keras.losses.Loss):
        return type(value), repr(sorted(value.get_config().items()))
    return value if isinstance(value, str) else id(value)


class _Kept:
    """A dict that Keras neither tracks nor saves."""

    def __init__(self):
        self.compiled = {}


def _kept(model) -> dict:
    if "_tl_keras_compiled" not in vars(model):
        # Past Keras' own attribute setter, which would make it a sublayer.
        object.__setattr__(model, "_tl_keras_compiled", _Kept())
    return vars(model)["_tl_keras_compiled"].compiled


def _value_of(variable):
    """Its value, or None for zeros, which most slots begin with."""
    value = variable.numpy()
    return value if np.any(value) else None
