"""Why a model says what it says, and whether an explanation means anything."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Explanation": "tl_keras.interpretation.explanations",
        "confused_pairs": "tl_keras.interpretation.mistakes",
        "explain": "tl_keras.interpretation.explanations",
        "grad_cam": "tl_keras.interpretation.gradcam",
        "integrated_gradients": "tl_keras.interpretation.integrated_gradients",
        "nearest_neighbours": "tl_keras.interpretation.neighbours",
        "occlusion": "tl_keras.interpretation.occlusion",
        "token_attributions": "tl_keras.interpretation.tokens",
        "top_losses": "tl_keras.interpretation.mistakes",
    },
)
