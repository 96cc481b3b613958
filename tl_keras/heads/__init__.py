"""Heads: new layers that turn an encoder's features into outputs."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__, {"Classifier": "tl_keras.heads.classifier"}
)
