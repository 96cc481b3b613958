"""What a model predicts on labelled examples, how good and how sure that is."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Evaluation": "tl_keras.evaluation.metrics",
        "Resamples": "tl_keras.evaluation.resampling",
        "calibrate": "tl_keras.evaluation.temperature",
        "compare": "tl_keras.evaluation.comparison",
        "cross_validate": "tl_keras.evaluation.repeats",
        "corruptions": "tl_keras.evaluation.corruptions",
        "evaluate": "tl_keras.evaluation.metrics",
        "from_predictions": "tl_keras.evaluation.metrics",
        "over_seeds": "tl_keras.evaluation.repeats",
        "over_splits": "tl_keras.evaluation.repeats",
        "predict_probabilities": "tl_keras.evaluation.predictions",
        "robustness": "tl_keras.evaluation.robustness",
    },
)
