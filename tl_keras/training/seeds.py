"""The random state of layers that draw numbers."""

import keras
import numpy as np


class SeedLayers(keras.callbacks.Callback):
    """Sets the state of Dropout and its like anew at each epoch.

    Keras saves that state in no file. Here it follows from the run's seed and
    the epoch alone, so that a restart draws what was drawn before.

    Args:
        network: The user's `keras.Model`.
        seed: Of the run.
        first_epoch: How many epochs earlier phases had.
    """

    def __init__(self, network, seed: int, first_epoch: int = 0):
        super().__init__()
        self._states = [
            variable
            for variable in network.variables
            if variable.name == "seed_generator_state"
        ]
        self._seed = seed
        self._first_epoch = first_epoch

    def on_epoch_begin(self, epoch, logs=None):
        draw = np.random.default_rng([self._seed, self._first_epoch + epoch])
        for state in self._states:
            state.assign(draw.integers(2**31, size=2, dtype="uint32"))
