"""The card of a model: what tl_keras knows of it beyond what Keras knows."""

import dataclasses
import json
import zipfile

from tl_keras import input_specs

_FILE = "tl_keras.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What tl_keras knows of a model.

    The card rides along in the `.keras` file, as an entry that plain Keras
    passes over.

    Attributes:
        encoder: The encoder's name.
        groups: Group name to the names of its layers with weights, in graph
            order; the head is the last group, `"head"`.
        features: Name of the operation whose output are the features, the
            last one of the encoder.
        preprocessing_output: Name of the layer whose output the encoder's
            network gets, or None if it gets the raw input.
        trained_range: Lowest and highest value which that network saw when
            it was trained, or None.
        input_spec: What the model takes.
        num_classes: Number of classes.
        class_names: Their names in order, or None if they have none.
        task: What the outputs are, e.g. `"classification"`.
    """

    encoder: str
    groups: dict[str, tuple[str, ...]]
    features: str | None = None
    preprocessing_output: str | None = None
    trained_range: tuple[float, float] | None = None
    input_spec: input_specs.InputSpec
    num_classes: int
    class_names: tuple[str, ...] | None = None
    task: str = "classification"


def of(model) -> Card | None:
    """The card of a model, or None for a model that was made elsewhere."""
    return getattr(model, "_tl_keras_card", None)


def attach(model, card: Card):
    """Gives a model a card, in place."""
    model._tl_keras_card = card


def write(card: Card, path):
    """Adds a card to a `.keras` file that has none."""
    entry = dataclasses.asdict(card)
    entry["input_spec"] = input_specs.as_dict(card.input_spec)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_FILE, json.dumps(entry))


def read(path) -> Card | None:
    """The card in a `.keras` file, or None if it has none."""
    with zipfile.ZipFile(path) as archive:
        if _FILE not in archive.namelist():
            return None
        entry = json.loads(archive.read(_FILE))
    entry["groups"] = {k: tuple(v) for k, v in entry["groups"].items()}
    entry["input_spec"] = input_specs.from_dict(entry["input_spec"])
    for name in ("trained_range", "class_names"):
        if entry[name] is not None:
            entry[name] = tuple(entry[name])
    return Card(**entry)
