"""What a converted file says of itself, beside its labels."""

import json

import keras
import tensorflow as tf

from tl_keras import __version__
from tl_keras import cards
from tl_keras import checks
from tl_keras import input_specs

FILE = "tl_keras.json"


def as_json(model, form: str, provenance) -> str:
    """Where a file comes from, as JSON.

    Args:
        model: The `keras.Model` that it was made of.
        form: What it was made into, e.g. "int8".
        provenance: A dict that JSON can hold, or None: what the user wants to
            be known of the model's making.

    Returns:
        A dict of `form`, `provenance`, `versions`, and for a model with a card
        `encoder` and `input`.

    Raises:
        TypeError: If `provenance` is something else.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU()])
        >>> json.loads(as_json(model, "int8", {"seed": 0}))["provenance"]
        {'seed': 0}
    """
    provenance = {} if provenance is None else provenance
    checks.instance(provenance, dict, name="provenance")
    versions = {
        "tl_keras": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    entry = {"form": form, "provenance": provenance, "versions": versions}
    card = cards.of(model)
    if card is not None:
        entry["encoder"] = card.encoder
        entry["input"] = input_specs.as_dict(card.input_spec)
    try:
        return json.dumps(entry, indent=2)
    except TypeError as error:
        raise TypeError(
            f"`provenance` holds what JSON cannot. Got: {provenance}: {error}. "
            "Expected strings, numbers, lists and dicts."
        ) from error
