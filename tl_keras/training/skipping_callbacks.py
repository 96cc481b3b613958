"""Callbacks in a training that goes on in the middle of an epoch."""

import keras


class SkippingCallbacks(keras.callbacks.CallbackList):
    """Callbacks that are told nothing of steps which were done before.

    Keras counts an epoch's steps from its first one. The model's train
    function says which of them another process has done.
    """

    def on_train_batch_begin(self, batch, logs=None):
        self._skips = self.model.train_function.skips
        if not self._skips:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        if not self._skips:
            super().on_train_batch_end(batch, logs)
