"""Labelled examples: where they come from, how they are split and batched."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Augmentation": "tl_keras.data.augmentation",
        "Data": "tl_keras.data.data",
        "DownloadError": "tl_keras.data.errors",
        "from_arrays": "tl_keras.data.arrays",
        "load": "tl_keras.data.sources",
    },
)
