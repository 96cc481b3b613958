"""Encoders from saved Keras models: `file:PATH`."""

import json
import os
import pathlib
import zipfile

import h5py
import keras

from tl_keras import cards
from tl_keras import checks
from tl_keras import graph
from tl_keras import input_specs
from tl_keras.encoders import blocks
from tl_keras.encoders import copying
from tl_keras.encoders import custom
from tl_keras.encoders import module_archives
from tl_keras.encoders import registration  # noqa: F401
from tl_keras.encoders.encoder import Encoder

_SUFFIXES = (".keras", ".h5", ".hdf5")
_BEFORE_THE_HEAD = (keras.layers.Dropout, keras.layers.Activation)


def load(
    name: str,
    image_size: int | None = None,
    weights: str | os.PathLike | None = "imagenet",
    *,
    channels: int = 3,
    input_spec: input_specs.InputSpec | None = None,
    cut: str | None = None,
    preprocessing: str | None = None,
    input_range: tuple[float, float] | None = None,
    trust_modules: bool = False,
) -> Encoder:
    """A saved Keras model as an encoder, without its head.

    A file that `tl_keras.save` wrote says all that is needed: its groups,
    what it takes, and where the head begins. Of another model the head is
    what comes from its last Dense layer on, or from behind the layer `cut`;
    its groups are its blocks, and what it expects of pixels has to be told.

    Args:
        name: "file:" and the path of a `.keras` or `.h5` file.
        image_size: Of the images, for a model that takes any size; in pixels.
        weights: "imagenet", for those in the file: it has no others.
        channels: Not used: a file says how many it takes.
        input_spec: What the data give; has to be what the model takes.
        cut: Name of the layer whose output are the features.
        preprocessing: What has to come between pixels in 0..255 and the
            model: "none", "in_model" (it begins with preprocessing of its
            own), or "caffe", "tf", "torch" as in `keras.applications`. Not
            needed where the file says it, or the model begins with a
            Rescaling or Normalization.
        input_range: In place of `preprocessing`: what black and white are to
            the model, e.g. (0, 1).
        trust_modules: Whether a TF Hub module that the file carries may hold
            any operation, see `tl_keras.load_model`.

    Returns:
        An `Encoder`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, has no such layer, or its
            preprocessing is not known.
    """
    if weights != "imagenet":
        raise ValueError(
            f"A file brings its own weights. Got: weights={weights!r} for "
            f"{name!r}. Leave `weights` out."
        )
    path = _path(name)
    card = None
    if zipfile.is_zipfile(path):
        module_archives.adopt(path, trust=trust_modules)
        card = cards.read(path)
    elif not trust_modules:
        _check_h5(path)
    model = _read(path)
    if card is not None and cut is None:
        if preprocessing is not None or input_range is not None:
            raise ValueError(
                f"{str(path)!r} says itself what it expects of pixels. Got: "
                f"preprocessing={preprocessing!r}, input_range={input_range}. "
                "Leave them out."
            )
        encoder = _with_card(path, model, card)
    else:
        encoder = _without_card(
            path, model, image_size, cut, preprocessing, input_range
        )
    _check_fits(path, encoder, image_size, input_spec)
    return encoder


def _path(name) -> pathlib.Path:
    path = pathlib.Path(name.partition(":")[2]).expanduser()
    if path.suffix not in _SUFFIXES:
        raise ValueError(
            f"A saved model is a .keras or .h5 file. Got: {str(path)!r}. For "
            "a SavedModel write 'hub:PATH'."
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no model file {str(path)!r}. `tl_keras.save(model, "
            "path)` or `model.save(path)` writes one."
        )
    return path


def _check_h5(path):
    try:
        with h5py.File(path) as file:
            text = file.attrs.get("model_config", "{}")
    except OSError:
        return  # Keras will say that it is none.
    module_archives.check_config(json.loads(text), path)


def _read(path):
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as a Keras model: {error} It may "
            "be damaged; layers of your own have to be imported first, and "
            "Lambda layers cannot be trusted."
        ) from error
    return graph.functional(model)


def _with_card(path, model, card) -> Encoder:
    features = _operations(model)[card.features].output
    groups = {k: v for k, v in card.groups.items() if k != "head"}
    return Encoder(
        name=path.stem,
        model=keras.Model(model.input, features, name=model.name),
        groups=groups,
        input_spec=card.input_spec,
        preprocessing="custom" if card.preprocessing_output else "in_model",
        preprocessing_output=card.preprocessing_output,
        trained_range=card.trained_range,
    )


def _without_card(path, model, image_size, cut, preprocessing, input_range):
    if len(model.inputs) != 1:
        raise ValueError(
            f"{str(path)!r} takes {len(model.inputs)} inputs. Expected one."
        )
    body = keras.Model(model.input, _features(path, model, cut))
    # Keras wraps a single input of some files into a list.
    body = keras.Model(body.inputs[0], body.outputs[0], name=path.stem)
    if body.inputs[0].dtype == "string":
        return Encoder(
            name=path.stem,
            model=body,
            groups=blocks.groups_of(body),
            input_spec=input_specs.TextSpec(),
            preprocessing="in_model",
        )
    chosen, trained_range = _preprocessing(
        path, body, preprocessing, input_range
    )
    body = _of_size(path, body, image_size)
    return custom.from_model(
        body,
        chosen,
        blocks.groups_of(body),
        name=path.stem,
        trained_range=trained_range,
    )


def _features(path, model, cut):
    operations = _operations(model)
    if cut is not None:
        checks.one_of(cut, operations, name="cut")
        return operations[cut].output
    dense = [
        operation
        for operation in model.operations
        if isinstance(operation, keras.layers.Dense)
    ]
    if not dense:
        raise ValueError(
            f"{str(path)!r} has no Dense layer at its top level, so that its "
            "head cannot be told from its encoder. Choose the last layer of "
            f"the encoder by `cut`. Its layers: {', '.join(operations)}."
        )
    inputs = graph.inputs_of(model)
    [before] = inputs[dense[-1].name]
    # What only prepares the Dense layer is part of the head.
    while isinstance(operations[before], _BEFORE_THE_HEAD) and inputs[before]:
        [before] = inputs[before]
    return operations[before].output


def _operations(model) -> dict:
    return {operation.name: operation for operation in model.operations}


def _preprocessing(path, model, preprocessing, input_range):
    """What `from_model` is to put in front, and the network's range."""
    if preprocessing is not None and input_range is not None:
        raise ValueError(
            "`preprocessing` and `input_range` say the same. Got: "
            f"{preprocessing!r} and {input_range}. Leave one out."
        )
    if input_range is not None:
        low, high = checks.interval(input_range, name="input_range")
        rescale = keras.layers.Rescaling(
            (high - low) / 255, offset=low, name="rescaling"
        )
        return rescale, (low, high)
    if preprocessing is not None:
        return preprocessing, None
    first = [o for o in model.operations if not _is_input(o)][:2]
    scaling = (keras.layers.Rescaling, keras.layers.Normalization)
    if any(isinstance(operation, scaling) for operation in first):
        return "in_model", None
    raise ValueError(
        f"What {str(path)!r} expects of pixels is not known. Say it by "
        "`preprocessing`: 'none' if it takes 0..255, 'in_model' if it "
        "begins with preprocessing of its own, 'caffe', 'tf' or 'torch' as in "
        "keras.applications; or by `input_range`, e.g. (0, 1). On the command "
        "line: --set=encoder.options.preprocessing=none."
    )


def _is_input(operation) -> bool:
    return isinstance(operation, keras.layers.InputLayer)


def _of_size(path, model, image_size):
    """The model for images of one size, where it takes any."""
    shape = model.inputs[0].shape
    if len(shape) != 4 or None not in shape[1:3]:
        return model
    if image_size is None:
        raise ValueError(
            f"{str(path)!r} takes images of any size. Choose one by "
            "`image_size`."
        )
    checks.integer(image_size, name="image_size", low=1)
    pixels = keras.Input((image_size, image_size, shape[3]), name="pixels")
    return copying.copy(model, pixels, lambda operation, tensor: tensor)


def _check_fits(path, encoder, image_size, input_spec):
    own = encoder.input_spec
    if image_size is not None and own.kind == "image":
        if own.size != image_size:
            raise ValueError(
                f"{str(path)!r} takes images of {own.size} px. Got: image_size="
                f"{image_size}. Leave `image_size` out."
            )
    if input_spec is not None and input_spec != own:
        raise ValueError(
            f"{str(path)!r} takes {own}. Got: data of {input_spec}. Load the "
            "data so."
        )
