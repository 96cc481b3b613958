"""What a model predicts on labelled examples, and how good that is."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Evaluation": "tl_keras.evaluation.metrics",
        "Resamples": "tl_keras.evaluation.resampling",
        "evaluate": "tl_keras.evaluation.metrics",
        "from_predictions": "tl_keras.evaluation.metrics",
        "predict_probabilities": "tl_keras.evaluation.predictions",
    },
)
