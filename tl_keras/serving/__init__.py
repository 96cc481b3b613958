"""Models in the form that TensorFlow Serving loads."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "CheckError": "tl_keras.serving.self_check",
        "Client": "tl_keras.serving.client",
        "InvalidInputError": "tl_keras.serving.client",
        "check": "tl_keras.serving.self_check",
        "export": "tl_keras.serving.savedmodel",
    },
)
