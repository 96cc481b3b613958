"""A classifier as a LiteRT (TensorFlow Lite) file, for phones and boards."""

import dataclasses
import json
import os
import pathlib
import warnings

import tensorflow as tf

from tl_keras import cards
from tl_keras import checks
from tl_keras.data import data as data_
from tl_keras.serving import agreement
from tl_keras.serving import attachments
from tl_keras.serving import description
from tl_keras.serving import labels
from tl_keras.serving import litert_forms
from tl_keras.serving import placing
from tl_keras.serving import portable

_LABELS = "labels.txt"


def export(
    model,
    folder,
    data,
    *,
    forms=tuple(litert_forms.FORMS),
    max_accuracy_drop: float = 0.01,
    class_names=None,
) -> list[agreement.Agreement]:
    """Writes a model as LiteRT files, none of them worse than it may be.

    Every form is converted and compared with the Keras model on the test part
    of the data (the validation part where there is none). If one loses more
    than it may, no file is written or replaced. On few examples a drop is
    uncertain: of 100, one that changes is a drop of 0.01.

    Args:
        model: As in `convert`.
        folder: Of the files, `FORM.tflite`; made where missing.
        data: A `tl_keras.data.Data` as the model was trained on: 200 training
            examples calibrate "int8".
        forms: Which forms to write, see `convert`.
        max_accuracy_drop: How much lower than the model's a file's accuracy
            may be, as a share, in [0, 1).
        class_names: As in `convert`; by default those in the model, else
            those of the data.

    Returns:
        An `Agreement` for each form, in the order of `forms`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of its range, the data do not fit
            the model or have a training part only, or the model cannot be
            converted; an `agreement.AccuracyLost`, with both accuracies, if a
            form loses more than `max_accuracy_drop`.

    Example:
        >>> import keras, tempfile, tl_keras
        >>> from tl_keras.serving import litert
        >>> data = tl_keras.data.load("digits", image_size=8)
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((8, 8, 3)),
        ...         keras.layers.Flatten(),
        ...         keras.layers.Dense(10),
        ...     ]
        ... )
        >>> [report] = litert.export(
        ...     model, tempfile.mkdtemp(), data, forms=["float32"]
        ... )
        >>> report.path.name, report.accuracy_drop
        ('float32.tflite', 0.0)
    """
    checks.instance(data, data_.Data, name="data")
    checks.share(max_accuracy_drop, name="max_accuracy_drop")
    for form in forms:
        checks.one_of(form, litert_forms.FORMS, name="form")
    judges = _judges(data)
    class_names = _names(class_names, model, data)
    with placing.folder_beside(pathlib.Path(folder).expanduser()) as beside:
        paths = [
            convert(
                model,
                beside / f"{form}.tflite",
                form=form,
                class_names=class_names,
                calibration=calibration_batches(data),
                provenance={"data": data.name, "fingerprint": data.fingerprint},
            )
            for form in forms
        ]
        predictors = {path: predictor(path) for path in paths}
        agreements = agreement.measure(model, predictors, judges)
        agreement.check_drops(agreements, max_accuracy_drop)
        return [_in_place(one, beside.parent) for one in agreements]


def convert(
    model,
    path,
    *,
    form: str = "float32",
    class_names=None,
    calibration=None,
    provenance=None,
) -> pathlib.Path:
    """Writes a model as one LiteRT file: raw input in, probabilities out.

    The signature `serving_default` takes `images`, uint8 `[batch, size, size,
    channels]` with pixels 0..255, or `waveforms`, float32 `[batch, samples]`
    in -1..1, and returns `probabilities`, float32 `[batch, num_classes]`. The
    batch is 1 unless the interpreter resizes it. Preprocessing and softmax
    are inside.

    | form | weights | arithmetic |
    | --- | --- | --- |
    | float32 | 32-bit floats | the same |
    | float16 | 16-bit floats, half the size | 32-bit floats on CPUs |
    | dynamic_range | large ones 8-bit integers | 8-bit where it pays |
    | int8 | 8-bit integers | 8-bit integers |

    "int8" takes pixels as they are and gives probabilities as floats. Inside
    they are multiples of 1/256; an integer output would be no more exact, and
    would leave multiplying to the caller. Operations for which LiteRT has no
    8-bit kernel stay float. What rounding does to the mean of each layer's
    output is measured and taken off (see `rounding.shifts`).

    The file carries `labels.txt`, a name a line, and `tl_keras.json`, which
    says where it comes from, in a zip archive behind the model, as files with
    TensorFlow Lite's metadata do: interpreters pass over it, `unzip` and
    `read_labels` read it.

    Args:
        model: A built Functional or Sequential `keras.Model`, as
            `tl_keras.build` returns: a classifier of images of one size or of
            clips of one length.
        path: File name ending in `.tflite`. Missing folders are made; a file
            of that name is replaced once the new one is whole.
        form: One of the above.
        class_names: Names of the classes in the order of the outputs. By
            default those that `fit` left in the model, else "0", "1", ...
        calibration: For "int8": an iterable of batches of inputs `[batch,
            ...]`, raw as the model takes them, such as a `tf.data.Dataset`.
            Training examples of all classes, a hundred or two, such as
            `calibration_batches(data)`.
        provenance: A dict that JSON can hold, to be kept in the file.

    Returns:
        The path.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model takes texts or is none as described, if there
            is no such form, if `calibration` is missing or does not fit, or
            if LiteRT lacks an operation of the model.

    Example:
        >>> import keras, os, tempfile
        >>> from tl_keras.serving import litert
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((8, 8, 3)),
        ...         keras.layers.Flatten(),
        ...         keras.layers.Dense(2),
        ...     ]
        ... )
        >>> path = os.path.join(tempfile.mkdtemp(), "pets.tflite")
        >>> path = litert.convert(model, path, class_names=["cat", "dog"])
        >>> litert.read_labels(path)
        ['cat', 'dog']
    """
    portable.check(model)
    path = placing.checked(path, ".tflite")
    names = labels.class_names(class_names, model)
    about = description.as_json(model, form, provenance)
    content = litert_forms.content(model, form, calibration)
    with placing.replacing(path) as beside:
        beside.write_bytes(content)
        texts = {_LABELS: labels.as_lines(names), description.FILE: about}
        attachments.append(beside, texts)
    return path


def calibration_batches(data, num_examples: int = 200):
    """Training inputs from which "int8" learns the ranges of activations.

    Args:
        data: A `tl_keras.data.Data`.
        num_examples: How many; all where there are fewer.

    Returns:
        A `tf.data.Dataset` of batches of inputs, unaugmented, the first
        examples of the first epoch: classes are mixed, and every call gives
        the same.

    Example:
        >>> import tl_keras
        >>> data = tl_keras.data.load("digits", image_size=8, batch_size=150)
        >>> [len(batch) for batch in calibration_batches(data)]
        [150, 50]
    """
    checks.integer(num_examples, name="num_examples", low=1)
    inputs = data.train_epochs().map(lambda inputs, labels: inputs)
    return inputs.unbatch().take(num_examples).batch(data.batch_size)


def compare(model, path, data) -> agreement.Agreement:
    """Runs a LiteRT file and its Keras model on the same examples.

    Args:
        model: The `keras.Model` that the file was made of.
        path: A file from `convert`.
        data: A finite `tf.data.Dataset` of batches of `(inputs, labels)`, such
            as `data.test`.

    Returns:
        An `Agreement`.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If `data` is no `tf.data.Dataset`.
        ValueError: If its elements are of another form or do not fit.
    """
    portable.check(model)
    [one] = agreement.measure(model, {path: predictor(path)}, data)
    return one


def predictor(path):
    """A function that runs a LiteRT file on batches of any size.

    Args:
        path: A file from `convert`.

    Returns:
        A function from inputs `[batch, ...]`, a NumPy array, to probabilities,
        float32 `[batch, num_classes]`. It runs on all cores.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = placing.existing(path)
    with warnings.catch_warnings():
        # It was to leave TensorFlow with version 2.20, and is in 2.21.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter", UserWarning)
        interpreter = tf.lite.Interpreter(str(path), num_threads=os.cpu_count())
    runner = interpreter.get_signature_runner()
    [(name, details)] = runner.get_input_details().items()

    def predict(inputs):
        inputs = portable.as_taken(inputs, details["dtype"])
        return runner(**{name: inputs})["probabilities"]

    return predict


def read_labels(path) -> list[str]:
    """The class names in a LiteRT file, in the order of its outputs.

    Args:
        path: A file from `convert`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it carries no labels.
    """
    return attachments.read(placing.existing(path), _LABELS).splitlines()


def read_description(path) -> dict:
    """What a LiteRT file says of where it comes from.

    Args:
        path: A file from `convert`.

    Returns:
        A dict with `form`, `provenance`, `versions`, and for a model from
        `tl_keras.build` `encoder` and `input`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it carries no description.
    """
    return json.loads(
        attachments.read(placing.existing(path), description.FILE)
    )


def _judges(data):
    """The examples by which files are judged: none that trained the model."""
    judges = data.validation if data.test is None else data.test
    if judges is None:
        raise ValueError(
            "`data` has a training part only, which says nothing of the "
            "accuracy on other examples. Expected a validation or a test part."
        )
    return judges


def _names(class_names, model, data):
    card = cards.of(model)
    in_model = card.class_names if card else None
    return labels.class_names(
        class_names or in_model or data.class_names, model
    )


def _in_place(one, folder):
    path = folder / one.path.name
    os.replace(one.path, path)
    return dataclasses.replace(one, path=path)
