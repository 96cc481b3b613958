"""An encoder and a head joined into one keras.Model, saved and loaded."""

import os
import pathlib
import tempfile
import zipfile

import keras

from tl_keras import cards
from tl_keras import checks
from tl_keras import graph
from tl_keras.encoders import module_archives
from tl_keras.encoders import registration  # noqa: F401

_DISTRIBUTIONS = ("softmax", "sigmoid")


def build(encoder, head, *, dtype_policy=None, seed: int = 0) -> keras.Model:
    """Joins an encoder and a head into one flat Functional model.

    The model's layers are its own, with a copy of the encoder's weights, so
    that one encoder serves for many models.

    Args:
        encoder: An `Encoder`, e.g. from `tl_keras.encoders.load`.
        head: A head, e.g. `tl_keras.heads.Classifier(num_classes=10)`.
        dtype_policy: Keras dtype policy of the layers, e.g.
            `"mixed_bfloat16"`; None is float32. Preprocessing and logits are
            float32 in every case.
        seed: Of the head's initial weights and dropout.

    Returns:
        A `keras.Model` from raw input (uint8 or float pixels 0..255, strings,
        or waveforms in -1..1) to logits `(batch, num_classes)`, float32.

    Raises:
        TypeError: If `encoder` is not an `Encoder` or `head` not callable.

    Example:
        >>> import tl_keras
        >>> encoder = tl_keras.encoders.load("tiny")
        >>> head = tl_keras.heads.Classifier(num_classes=3)
        >>> tl_keras.build(encoder, head).output_shape
        (None, 3)
    """
    if not hasattr(encoder, "groups") or not callable(head):
        raise TypeError(
            "`build` joins an encoder and a head. Got: "
            f"{type(encoder).__name__} and {type(head).__name__}. Expected: "
            "`tl_keras.encoders.load(NAME)` and e.g. "
            "`tl_keras.heads.Classifier(num_classes=10)`."
        )
    network = _copy(encoder.model, dtype_policy)
    logits = head(network.outputs[0], seed=seed, dtype_policy=dtype_policy)
    model = keras.Model(network.input, logits, name=network.name)
    in_encoder = {layer.name for layer in network.layers}
    in_head = tuple(
        layer.name
        for layer in model.layers
        if layer.name not in in_encoder and layer.weights
    )
    cards.attach(
        model,
        cards.Card(
            encoder=encoder.name,
            groups={**encoder.groups, "head": in_head},
            features=graph.producer_of(network.outputs[0]).name,
            preprocessing_output=encoder.preprocessing_output,
            trained_range=encoder.trained_range,
            input_spec=encoder.input_spec,
            num_classes=head.num_classes,
        ),
    )
    return model


def _copy(network, dtype_policy):
    """A model with layers of its own and the same weights."""
    # Raw pixels up to 255 do not fit into the eight bits of a bfloat16.
    keeps_float32 = (keras.layers.Rescaling, keras.layers.Normalization)

    def copy_of(layer):
        config = layer.get_config()
        if (
            dtype_policy is not None
            and isinstance(layer, keras.layers.Layer)
            and not isinstance(layer, keeps_float32)
            and not getattr(layer, "keeps_float32", False)
        ):
            config["dtype"] = dtype_policy
        return layer.__class__.from_config(config)

    copied = keras.models.clone_model(
        network,
        clone_function=copy_of,
        # A nested model would keep its dtypes.
        recursive=dtype_policy is not None,
    )
    copied.set_weights(network.get_weights())
    return copied


def outputs_are_logits(model) -> bool:
    """Whether a classifier's outputs still lack their softmax.

    Args:
        model: As `last_activation` takes it.

    Raises:
        ValueError: If the last layer does not tell.

    Example:
        >>> import keras
        >>> layers = [keras.Input((3,)), keras.layers.Dense(2)]
        >>> outputs_are_logits(keras.Sequential(layers))
        True
    """
    return last_activation(model) is None


def last_activation(model) -> str | None:
    """What made probabilities of a classifier's outputs.

    Args:
        model: A `keras.Model`. With a card the answer is known; else the
            activation of its last layer tells.

    Returns:
        "softmax", "sigmoid", or None for logits.

    Raises:
        ValueError: If the last layer does not tell.

    Example:
        >>> import keras
        >>> last = keras.layers.Dense(2, activation="sigmoid")
        >>> last_activation(keras.Sequential([keras.Input((3,)), last]))
        'sigmoid'
    """
    if cards.of(model) is not None:
        return None
    first = None
    for operation in _backwards(model):
        first = first or operation
        activation = getattr(operation, "activation", None)
        name = getattr(activation, "__name__", None)
        # `keras.ops.softmax` is no layer, and of a class of the same name.
        kind = type(operation).__name__.lower()
        for activation in _DISTRIBUTIONS:
            if activation in (name, kind):
                return activation
        if name == "linear":
            # A linear Activation may be there to make a softmax float32: then
            # what comes before it tells.
            if isinstance(operation, keras.layers.Activation):
                continue
            return None
        if operation is not first and isinstance(operation, keras.layers.Layer):
            return None
        break
    raise ValueError(
        "Whether the model gives logits or probabilities cannot be seen from "
        f"its last layer. Got: {operation.name!r} ({type(operation).__name__}"
        "). Expected a Dense layer, an Activation or a Softmax."
    )


def _backwards(model):
    """A model's operations from its output on, as far as they are a chain."""
    if not graph.is_functional(graph.opened(model)):
        yield from reversed(model.layers)
        return
    producers = {
        id(operation): made_by for operation, made_by in graph.operations(model)
    }
    operation = graph.end_of(model)
    while operation is not None:
        yield operation
        before = producers.get(id(operation), ())
        operation = before[0] if len(before) == 1 else None


def save(model, path) -> pathlib.Path:
    """Writes a model with its layer groups to a `.keras` file.

    Plain Keras reads the file too. A file of that name is replaced once the
    new one is whole.

    Args:
        model: A `keras.Model`.
        path: File name ending in `.keras`. Missing folders are made.

    Returns:
        The path.

    Raises:
        ValueError: If `path` does not end in `.keras`.

    Example:
        >>> import os, tempfile
        >>> import tl_keras
        >>> encoder = tl_keras.encoders.load("tiny")
        >>> head = tl_keras.heads.Classifier(num_classes=3)
        >>> model = tl_keras.build(encoder, head)
        >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
        >>> tl_keras.save(model, path).name
        'model.keras'
        >>> tl_keras.load_model(path).output_shape
        (None, 3)
    """
    path = _keras_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=".save-"
    ) as beside:
        whole = pathlib.Path(beside) / path.name
        model.save(whole)
        if cards.of(model) is not None:
            cards.write(cards.of(model), whole)
        os.replace(whole, path)
    return path


def load_model(path, *, trust_modules: bool = False) -> keras.Model:
    """Reads a model that `save` or plain Keras wrote.

    Args:
        path: A `.keras` file.
        trust_modules: Whether a TF Hub module that the file carries may hold
            any operation, and its layers call any function. A SavedModel is a
            program that can read and write files; without this, only what is
            known to compute is accepted. That is a filter and no sandbox:
            where a file of a stranger has to be read, do it in one.

    Returns:
        The `keras.Model`; with its layer groups if `save` wrote the file.

    Raises:
        ValueError: If `path` does not end in `.keras` or is no such archive,
            or if it carries a module that is damaged or is not trusted, or
            names functions that are not for models.
        FileNotFoundError: If there is no such file.
    """
    path = _keras_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no model file {str(path)!r}. `tl_keras.save(model, "
            "path)` writes one."
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{str(path)!r} is not a `.keras` archive; it may be damaged or "
            "only half written. Expected a file from `tl_keras.save` or "
            "`keras.Model.save`."
        )
    # Keras makes the layers before it hands them their assets.
    module_archives.adopt(path, trust=trust_modules)
    model = keras.models.load_model(path, compile=False)
    card = cards.read(path)
    if card is not None:
        cards.attach(model, card)
    return model


def _keras_path(path) -> pathlib.Path:
    checks.instance(path, (str, os.PathLike), name="path")
    path = pathlib.Path(path).expanduser()
    if path.suffix != ".keras":
        raise ValueError(
            f"`path` must end in '.keras'. Got: {str(path)!r}. Rename it, or "
            "use `tl_keras.serving.export` for a SavedModel."
        )
    return path
