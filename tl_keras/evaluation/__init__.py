"""What a model predicts on labelled examples, and how good that is."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Evaluation": "tl_keras.evaluation.metrics",
        "corruptions": "tl_keras.evaluation.corruptions",
        "evaluate": "tl_keras.evaluation.metrics",
        "predict_probabilities": "tl_keras.evaluation.predictions",
        "robustness": "tl_keras.evaluation.robustness",
    },
)
