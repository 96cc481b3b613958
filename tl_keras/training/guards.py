"""Callbacks that end training where it should not go on."""

import math

import keras


class StopAtNonFinite(keras.callbacks.Callback):
    """Raises an error at the first loss that is NaN or infinite.

    Args:
        phase_name: For the message.
    """

    def __init__(self, phase_name: str):
        super().__init__()
        self._phase_name = phase_name
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss became {loss} in phase {self._phase_name!r}, epoch "
                f"{self._epoch}, step {batch + 1}. Expected a finite number. "
                "Lower `learning_rate`, set `clip_norm`, or look for NaN in "
                "the images and labels. The model has the weights of its "
                "best epoch again, if one was validated."
            )


class StopAfterSteps(keras.callbacks.Callback):
    """Ends a phase after a number of optimizer steps.

    Args:
        steps: That number.
    """

    def __init__(self, steps: int):
        super().__init__()
        self._steps = steps

    def on_train_batch_end(self, batch, logs=None):
        if self.model.train_function.done >= self._steps:
            self.model.stop_training = True
