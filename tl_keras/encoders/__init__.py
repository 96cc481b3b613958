"""Pretrained networks without their heads, from raw input to features."""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Encoder": "tl_keras.encoders.encoder",
        "HubEncoder": "tl_keras.encoders.hub_encoder",
        "from_model": "tl_keras.encoders.custom",
        "load": "tl_keras.encoders.loading",
        "names": "tl_keras.encoders.loading",
    },
)
