"""Tuning: which layer groups train when, how fast, and from where."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Phase": "tl_keras.tuning.phases",
        "Plan": "tl_keras.tuning.phases",
        "Pruning": "tl_keras.tuning.pruning_settings",
        "lora": "tl_keras.tuning.lora",
        "plans": "tl_keras.tuning.plans",
        "starting_point_penalty": "tl_keras.tuning.anchoring",
    },
)
