"""Models in the form that TensorFlow Serving loads."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__, {"export": "tl_keras.serving.savedmodel"}
)
