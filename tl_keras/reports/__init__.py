"""What a run leaves to read: results.json and pictures."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "plots": "tl_keras.reports.plots",
        "results": "tl_keras.reports.results",
    },
)
