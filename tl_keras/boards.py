"""Scalars for TensorBoard, one step per epoch, through all phases."""

import pathlib

import keras
import tensorflow as tf


class EpochScalars(keras.callbacks.Callback):
    """Writes what Keras logs at the end of each epoch.

    `keras.callbacks.TensorBoard` begins at step 0 again in every phase, and
    the phases' curves would lie on top of each other.

    Args:
        directory: Folder of the logs, with a part for training and one for
            validation.

    Raises:
        ImportError: If TensorBoard is not installed.
    """

    def __init__(self, directory):
        super().__init__()
        require_tensorboard()
        self._directory = pathlib.Path(directory)
        self._writers = None
        self._epochs_done = 0

    def on_train_begin(self, logs=None):
        if self._writers is None:
            self._writers = {
                part: tf.summary.create_file_writer(str(self._directory / part))
                for part in ("train", "validation")
            }

    def on_epoch_end(self, epoch, logs=None):
        self._epochs_done += 1
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            with self._writers[part].as_default(step=self._epochs_done):
                tf.summary.scalar(
                    f"epoch/{name.removeprefix('val_')}", float(value)
                )
        for writer in self._writers.values():
            writer.flush()

    def get_state(self) -> dict:
        """At which step it is, for a checkpoint of `fit`."""
        return {"epochs_done": self._epochs_done}

    def set_state(self, state: dict):
        """Goes on at the step that `get_state` gave, in place."""
        self._epochs_done = state["epochs_done"]


def require_tensorboard():
    """Raises an ImportError that names the remedy if there is none."""
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "`tensorboard` is not installed. Install it with "
            '`pip install "tl_keras[tensorboard]"`, or leave `tensorboard` '
            "off."
        ) from error
