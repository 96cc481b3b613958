"""How far a converted file answers as the model that it was made of."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras.serving import portable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """A converted file beside its Keras model, on the same examples.

    Attributes:
        path: The file.
        size_bytes: Its size, labels included.
        num_examples: Number of examples.
        same_class: Share of them to which both give the same class.
        accuracy: Share of them that the file classifies as labelled.
        keras_accuracy: Share of them that the model does.
        largest_difference: Largest absolute difference of a probability.
    """

    path: pathlib.Path
    size_bytes: int
    num_examples: int
    same_class: float
    accuracy: float
    keras_accuracy: float
    largest_difference: float

    @property
    def accuracy_drop(self) -> float:
        """Share of the examples that the conversion costs; below 0 if it
        gains some."""
        return self.keras_accuracy - self.accuracy


class AccuracyLost(ValueError):
    """A conversion costs more accuracy than it may.

    Attributes:
        agreements: The `Agreement`s of all files that were tried.
    """

    def __init__(self, message: str, agreements):
        super().__init__(message)
        self.agreements = tuple(agreements)


def measure(model, predictors, data) -> list[Agreement]:
    """Compares files with the model that they were made of.

    Args:
        model: A classifier that `portable.check` accepts.
        predictors: From the path of a file to a function from a NumPy batch
            of inputs to what it answers, float32 `[batch, num_classes]`.
        data: A finite `tf.data.Dataset` of batches of `(inputs, labels)`, the
            labels whole numbers `[batch]`. It is read once.

    Returns:
        An `Agreement` for each file.

    Raises:
        TypeError: If `data` is no `tf.data.Dataset`.
        ValueError: If it has no examples, elements of another form, or inputs
            that do not fit the model.
    """
    _check(data, model)
    expect = tf.function(
        portable.probabilities_of(model), reduce_retracing=True
    )
    labels, expected, answered = [], [], {path: [] for path in predictors}
    for inputs, batch_labels in data:
        labels.append(batch_labels.numpy())
        expected.append(expect(inputs)["probabilities"].numpy())
        for path, predict in predictors.items():
            answered[path].append(predict(inputs.numpy()))
    if not labels:
        raise ValueError(
            "The dataset is empty. Got: no examples. Expected at least one to "
            "judge a file by."
        )
    labels, expected = np.concatenate(labels), np.concatenate(expected)
    return [
        _agreement(path, np.concatenate(probabilities), expected, labels)
        for path, probabilities in answered.items()
    ]


def _agreement(path, answered, expected, labels):
    path = pathlib.Path(path)
    classes, keras_classes = answered.argmax(axis=1), expected.argmax(axis=1)
    return Agreement(
        path=path,
        size_bytes=path.stat().st_size,
        num_examples=len(labels),
        same_class=float(np.mean(classes == keras_classes)),
        accuracy=float(np.mean(classes == labels)),
        keras_accuracy=float(np.mean(keras_classes == labels)),
        largest_difference=float(np.abs(answered - expected).max()),
    )


def check_drops(agreements, max_accuracy_drop: float):
    """Raises if one of the files lost too much.

    Args:
        agreements: `Agreement`s.
        max_accuracy_drop: The largest drop that passes, as a share.

    Raises:
        AccuracyLost: With the accuracies of each that did.
    """
    # Shares are sums of 1/num_examples, and rounded.
    worse = [
        one
        for one in agreements
        if one.accuracy_drop > max_accuracy_drop + 1e-9
    ]
    if not worse:
        return
    shown = "; ".join(
        f"{one.path.name} {one.accuracy:.4f} where Keras has "
        f"{one.keras_accuracy:.4f} ({one.num_examples} examples)"
        for one in worse
    )
    raise AccuracyLost(
        f"A conversion loses too much accuracy, and no file was written. Got: "
        f"{shown}. Expected a drop of at most {max_accuracy_drop}. Leave that "
        "form out, or allow more by `max_accuracy_drop`.",
        agreements,
    )


def _check(data, model):
    checks.instance(
        data,
        tf.data.Dataset,
        name="data",
        hint="Pass a split such as `data.test`.",
    )
    spec = data.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2 or spec[1].shape.rank != 1:
        raise ValueError(
            f"`data` has elements of another form. Got: {spec}. Expected "
            "batches of `(inputs, labels)`, the labels whole numbers [batch], "
            "such as `data.test`."
        )
    expected = model.inputs[0].shape[1:]
    if not spec[0].shape[1:].is_compatible_with(expected):
        raise ValueError(
            "The inputs do not fit the model. Got inputs of shape "
            f"{tuple(spec[0].shape[1:])}. Expected {tuple(expected)}; load the "
            "data as it was for the training."
        )
