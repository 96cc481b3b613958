"""Transfer learning for Keras 3 on TensorFlow."""

from tl_keras import backend
from tl_keras import lazy

__version__ = "0.1.0"

backend.require_tensorflow()

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Checkpoints": "tl_keras.training.checkpoint_settings",
        "PrefixCache": "tl_keras.training.prefix_settings",
        "audit": "tl_keras.audits",
        "build": "tl_keras.models",
        "check_tpu": "tl_keras.training.tpu_check",
        "compression": "tl_keras.compression",
        "data": "tl_keras.data",
        "encoders": "tl_keras.encoders",
        "evaluate": "tl_keras.evaluation.metrics",
        "fit": "tl_keras.training.fit",
        "heads": "tl_keras.heads",
        "interpretation": "tl_keras.interpretation",
        "load_model": "tl_keras.models",
        "plans": "tl_keras.tuning.plans",
        "run": "tl_keras.runs",
        "save": "tl_keras.models",
        "serving": "tl_keras.serving",
        "strategy": "tl_keras.training.strategies",
    },
)
