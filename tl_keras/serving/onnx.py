"""A classifier as an ONNX file.

The one file that imports `onnx`, `onnxruntime` and `tf2onnx`.
"""

import importlib
import json
import pathlib

import numpy as np

from tl_keras import checks
from tl_keras.serving import agreement
from tl_keras.serving import description
from tl_keras.serving import labels
from tl_keras.serving import onnx_graph
from tl_keras.serving import placing
from tl_keras.serving import portable

_LABELS = "labels.txt"
# tf2onnx 1.17 writes opsets up to 18. From 15 to 18 nothing that it writes for
# a classifier gets shorter or faster, and a lower one runs in older runtimes.
_OPSETS = range(13, 19)
_BATCH_SIZES = (1, 7)
_RELATIVE, _ABSOLUTE = 1e-4, 1e-6


def export(
    model, path, *, opset: int = 17, class_names=None, provenance=None
) -> pathlib.Path:
    """Writes a model as an ONNX file: raw input in, probabilities out.

    The input is `images`, uint8 `[batch, size, size, channels]` with pixels
    0..255, or `waveforms`, float32 `[batch, samples]` in -1..1; the output
    `probabilities`, float32 `[batch, num_classes]`. Preprocessing and softmax
    are inside. Before the file is put in place, ONNX Runtime has answered as
    Keras does for random inputs, to 1e-4 relative.

    The file's metadata hold `labels.txt`, a name a line, and `tl_keras.json`,
    which says where it comes from.

    Args:
        model: A built Functional or Sequential `keras.Model`, as
            `tl_keras.build` returns: a classifier of images of one size or of
            clips of one length, below 2 GB.
        path: File name ending in `.onnx`. Missing folders are made; a file of
            that name is replaced once the new one is whole.
        opset: Version of ONNX's operations, 13 to 18.
        class_names: Names of the classes in the order of the outputs. By
            default those that `fit` left in the model, else "0", "1", ...
        provenance: A dict that JSON can hold, to be kept in the file.

    Returns:
        The path.

    Raises:
        ImportError: If onnx, onnxruntime or tf2onnx is missing.
        TypeError: If an argument has the wrong type.
        ValueError: If the model takes texts or is none as described, if there
            is no such opset, or if the file does not answer as the model.

    Example:
        >>> import keras, os, tempfile
        >>> from tl_keras.serving import onnx
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((8, 8, 3)),
        ...         keras.layers.Flatten(),
        ...         keras.layers.Dense(2),
        ...     ]
        ... )
        >>> path = os.path.join(tempfile.mkdtemp(), "pets.onnx")
        >>> path = onnx.export(model, path, class_names=["cat", "dog"])
        >>> onnx.read_labels(path)
        ['cat', 'dog']
    """
    portable.check(model)
    path = placing.checked(path, ".onnx")
    checks.one_of(opset, _OPSETS, name="opset")
    for package in ("onnx", "onnxruntime", "tf2onnx"):
        _imported(package)
    names = labels.class_names(class_names, model)
    texts = {
        _LABELS: labels.as_lines(names),
        description.FILE: description.as_json(model, "onnx", provenance),
    }
    whole = portable.Portable(portable.in_float32(model))
    content = _converted(whole, opset, texts)
    with placing.replacing(path) as beside:
        beside.write_bytes(content)
        _check_answers(whole, predictor(beside))
    return path


def compare(model, path, data) -> agreement.Agreement:
    """Runs an ONNX file and its Keras model on the same examples.

    Args:
        model: The `keras.Model` that the file was made of.
        path: A file from `export`.
        data: A finite `tf.data.Dataset` of batches of `(inputs, labels)`, such
            as `data.test`.

    Returns:
        An `Agreement`.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If onnxruntime is missing.
        TypeError: If `data` is no `tf.data.Dataset`.
        ValueError: If its elements are of another form or do not fit.
    """
    portable.check(model)
    [one] = agreement.measure(model, {path: predictor(path)}, data)
    return one


def predictor(path):
    """A function that runs an ONNX file on batches of any size.

    Args:
        path: A file from `export`.

    Returns:
        A function from inputs `[batch, ...]`, a NumPy array, to probabilities,
        float32 `[batch, num_classes]`. It runs on the CPU, on all cores.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If onnxruntime is missing.
    """
    session = _session(path)
    [taken] = session.get_inputs()
    dtype = {"tensor(uint8)": "uint8"}.get(taken.type, "float32")

    def predict(inputs):
        inputs = portable.as_taken(inputs, dtype)
        [probabilities] = session.run(None, {taken.name: inputs})
        return probabilities

    return predict


def read_labels(path) -> list[str]:
    """The class names in an ONNX file, in the order of its outputs.

    Args:
        path: A file from `export`.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If onnxruntime is missing.
        ValueError: If it carries no labels.
    """
    return _read(path, _LABELS).splitlines()


def read_description(path) -> dict:
    """What an ONNX file says of where it comes from.

    Args:
        path: A file from `export`.

    Returns:
        A dict with `form`, `provenance`, `versions`, and for a model from
        `tl_keras.build` `encoder` and `input`.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If onnxruntime is missing.
        ValueError: If it carries no description.
    """
    return json.loads(_read(path, description.FILE))


def _converted(whole, opset, texts) -> bytes:
    """The function as ONNX, with texts in its metadata."""
    onnx, tf2onnx = _imported("onnx"), _imported("tf2onnx")
    function = onnx_graph.plain(whole)
    # tf2onnx 1.17 calls `np.product`, which NumPy 2 dropped, for models that
    # are split over several files; nothing on this road does.
    proto, _ = tf2onnx.convert.from_function(
        function,
        function.input_signature,
        opset=opset,
        custom_op_handlers=onnx_graph.HANDLERS,
    )
    for one in (*proto.graph.input, *proto.graph.output):
        # By default every free dimension has a number of its own.
        one.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(proto, texts)
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        raise ValueError(
            "ONNX lacks an operation of this model. Got from its checker: "
            f"{str(error).splitlines()[0]}. Expected operations that tf2onnx "
            "knows; serve the SavedModel that `tl_keras.serving.export` "
            "writes."
        ) from error
    return proto.SerializeToString()


def _check_answers(whole, predict):
    """Raises unless a file answers as the function that it was made of."""
    [spec] = whole.function.input_signature
    rng = np.random.default_rng(0)
    for batch_size in _BATCH_SIZES:
        shape = (batch_size, *spec.shape[1:])
        inputs = rng.uniform(-1, 1, shape).astype("float32")
        if spec.dtype == np.uint8:
            inputs = rng.integers(0, 256, shape).astype("uint8")
        expected = whole.function(inputs)["probabilities"].numpy()
        answered = predict(inputs)
        if not np.allclose(answered, expected, _RELATIVE, _ABSOLUTE):
            raise ValueError(
                "The ONNX file does not answer as the model, and was not "
                f"written. Got for {batch_size} random inputs probabilities "
                f"that are off by {np.abs(answered - expected).max():.2g}. "
                f"Expected {_RELATIVE} relative. Try another `opset`, or "
                "another version of tf2onnx."
            )


def _read(path, name):
    texts = _session(path).get_modelmeta().custom_metadata_map
    if name not in texts:
        raise ValueError(
            f"{str(path)!r} carries no {name}. Expected a file from "
            "`tl_keras.serving.onnx.export`; other converters add none."
        )
    return texts[name]


def _session(path):
    path = placing.existing(path)
    return _imported("onnxruntime").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )


def _imported(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"ONNX needs onnx, onnxruntime and tf2onnx, and something of them "
            f'is missing: {error}. Install it with `pip install "tl_keras['
            'onnx]"`.'
        ) from error
