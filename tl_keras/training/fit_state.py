"""What all phases of a `fit` change, for a checkpoint."""

import dataclasses

import keras

from tl_keras.training import callback_states
from tl_keras.training import variable_values


@dataclasses.dataclass(frozen=True, eq=False)
class FitState:
    """What all phases of a `fit` change.

    Attributes:
        model: The user's model.
        callbacks: Those of the whole `fit`, the user's among them.
        starting_point: Id of a weight to its value before the first phase.
    """

    model: keras.Model
    callbacks: list
    starting_point: dict

    @property
    def variables(self) -> list:
        """The weights of the user's model, and its random states."""
        return list({id(v): v for v in self.model.variables}.values())

    def get(self) -> dict:
        """The state, in arrays and lists, as it is now."""
        return {
            "model": variable_values.get(self.variables),
            "callbacks": callback_states.get(self.callbacks),
            "starting_point": list(self.starting_point.values()),
        }

    def put_model(self, state: dict):
        """Puts back the model, and what it started from, in place."""
        variable_values.put(self.variables, state["model"])
        # What is there was made from the weights of this process.
        self.starting_point.update(
            zip(self.starting_point, state["starting_point"], strict=True)
        )

    def put(self, state: dict):
        """Puts back all that `get` gave, in place."""
        self.put_model(state)
        callback_states.put(self.callbacks, state["callbacks"])
