"""Imports every layer of ours that a saved model may hold.

Keras finds the class of a registered layer only once its module is imported.
"""

from tl_keras.encoders import hub_encoder  # noqa: F401
from tl_keras.encoders import rebuilding  # noqa: F401
from tl_keras.encoders import waveforms  # noqa: F401
from tl_keras.encoders import wordpiece  # noqa: F401
