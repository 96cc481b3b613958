"""Compression: how small a model is, and what is done to make it small."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "SparsityReport": "tl_keras.compression.sparsity_report",
        "sparsity": "tl_keras.compression.sparsity_report",
    },
)
