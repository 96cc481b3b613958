"""Keras on another backend than TensorFlow is refused at the door."""

import json
import os
import pathlib
import sys


def require_tensorflow():
    """Refuses any Keras backend but TensorFlow, without importing Keras.

    Keras chooses its backend when it is first imported: from the environment
    variable `KERAS_BACKEND`, else from `~/.keras/keras.json`. `tl_keras` calls
    this before it imports Keras, so that another choice ends in a sentence
    and not in an error deep inside of a training step.

    Raises:
        ImportError: If Keras runs, or would run, on another backend.

    Example:
        >>> require_tensorflow()
    """
    name, origin = _chosen()
    if name != "tensorflow":
        raise ImportError(
            f"tl_keras runs Keras on TensorFlow only. Got: the backend "
            f"{name!r}, from {origin}. Expected 'tensorflow'; set "
            "KERAS_BACKEND=tensorflow before Python starts."
        )


def _chosen() -> tuple[str, str]:
    """The backend's name, and where it was chosen."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "config"):
        return keras.config.backend(), "the Keras that is already imported"
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "the variable KERAS_BACKEND"
    home = os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras"
    path = pathlib.Path(home) / "keras.json"
    try:
        settings = json.loads(path.read_text())
    except (OSError, ValueError):
        settings = {}  # Keras, too, goes on without a readable file.
    return settings.get("backend", "tensorflow"), str(path)
