"""How good a classifier is on labelled examples."""

import dataclasses

import numpy as np
from sklearn import metrics as sklearn_metrics

from tl_keras import cards
from tl_keras.evaluation import predictions

# A table with more classes than this shows the worst of them.
_MAX_CLASSES_SHOWN = 40
_MAX_NAME_WIDTH = 30


def evaluate(model, dataset, *, class_names=None) -> "Evaluation":
    """Metrics of a classifier on a dataset, from one pass over it.

    The figures are scikit-learn's. `print` shows them as a table.

    Args:
        model: A `keras.Model`, as
            `tl_keras.evaluation.predict_probabilities` takes it.
        dataset: A finite, batched `tf.data.Dataset` of `(inputs, labels)`,
            such as `data.test`. Labels are class indices or one-hot.
        class_names: Names of the classes in the order of the outputs. By
            default those that `fit` left in the model, else "0", "1", ...

    Returns:
        An `Evaluation`.

    Raises:
        TypeError, ValueError: As `tl_keras.evaluation.predict_probabilities`
            does, and if `class_names` has another length than the outputs or
            holds a name twice.

    Example:
        >>> import keras, numpy, tensorflow, tl_keras
        >>> model = keras.Sequential(
        ...     [keras.Input((1, 1, 2)), keras.layers.Flatten()]
        ... )
        >>> model.add(keras.layers.Softmax())
        >>> images = numpy.array([[2, 0], [0, 2], [3, 1]], "float32")
        >>> pairs = (images.reshape(3, 1, 1, 2), [0, 1, 1])
        >>> dataset = tensorflow.data.Dataset.from_tensor_slices(pairs).batch(2)
        >>> evaluation = tl_keras.evaluate(model, dataset)
        >>> evaluation.confusion_matrix
        [[1, 0], [1, 1]]
        >>> evaluation.per_class["1"]["recall"]
        0.5
    """
    if getattr(model, "outputs", None):
        # Refuses wrong names before the predictions, which may take minutes.
        _class_names(class_names, model, model.outputs[0].shape[-1])
    probabilities, labels = predictions.predict_probabilities(model, dataset)
    names = _class_names(class_names, model, probabilities.shape[1])
    return from_predictions(probabilities, labels, class_names=names)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found out; the `test` part of `results.json`.

    Precision, recall and F1 have a defined value everywhere: 0.0 where they
    would divide by zero (a class that is never predicted, or that the labels
    do not hold). The macro averages are taken over the classes that occur in
    the labels or among the predictions, balanced accuracy over the classes
    that occur in the labels, both as scikit-learn does by default.

    Attributes:
        num_examples: Number of examples.
        accuracy: Share of examples whose label has the highest probability.
        top_5_accuracy: Share of examples whose label is among the five
            highest; None for five classes or fewer, where it says nothing.
        balanced_accuracy: Mean recall of the classes in the labels.
        macro_precision: Unweighted mean of the classes' precision.
        macro_recall: Unweighted mean of the classes' recall.
        macro_f1: Unweighted mean of the classes' F1.
        log_loss: Mean negative logarithm of the label's probability, natural
            logarithm; probabilities are clipped at 1.2e-7 (float32).
        per_class: Class name to a dict with `precision`, `recall`, `f1` and
            `support` (number of examples with that label), every class of the
            model in the order of its outputs.
        confusion_matrix: Nested lists of counts, `[label][prediction]`.
    """

    num_examples: int
    accuracy: float
    top_5_accuracy: float | None
    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    log_loss: float
    per_class: dict[str, dict[str, float]] = dataclasses.field(repr=False)
    confusion_matrix: list[list[int]] = dataclasses.field(repr=False)

    def as_dict(self) -> dict:
        """The fields as plain numbers, lists and dicts, ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self):
        overall = [
            ("accuracy", self.accuracy),
            ("top-5 accuracy", self.top_5_accuracy),
            ("balanced accuracy", self.balanced_accuracy),
            ("macro precision", self.macro_precision),
            ("macro recall", self.macro_recall),
            ("macro F1", self.macro_f1),
            ("log loss", self.log_loss),
        ]
        lines = [f"{self.num_examples} examples, {len(self.per_class)} classes"]
        lines += [
            f"{name:<18}{value:8.4f}"
            for name, value in overall
            if value is not None
        ]
        return "\n".join(lines + [""] + _per_class_lines(self.per_class))


def _per_class_lines(per_class) -> list[str]:
    """The table of the classes; of many classes, those with the lowest F1."""
    rows = list(per_class.items())
    left_out = max(0, len(rows) - _MAX_CLASSES_SHOWN)
    if left_out:
        rows = sorted(rows, key=lambda row: row[1]["f1"])[:_MAX_CLASSES_SHOWN]
    names = [_shortened(name) for name, _ in rows]
    width = max([len(name) for name in names] + [len("class")])
    lines = [f"{'class':<{width}}  precision  recall      F1  support"]
    for name, (_, row) in zip(names, rows, strict=True):
        lines.append(
            f"{name:<{width}}  {row['precision']:9.4f}  {row['recall']:6.4f}  "
            f"{row['f1']:6.4f}  {row['support']:7d}"
        )
    if left_out:
        lines.append(f"and {left_out} classes with a higher F1")
    return lines


def _shortened(name: str) -> str:
    if len(name) <= _MAX_NAME_WIDTH:
        return name
    return name[: _MAX_NAME_WIDTH - 3] + "..."


def _class_names(class_names, model, num_classes: int) -> tuple[str, ...]:
    """The names to use, one per output of the model."""
    if class_names is None:
        card = cards.of(model)
        class_names = card.class_names if card else None
    if class_names is None:
        return tuple(str(index) for index in range(num_classes))
    names = tuple(str(name) for name in class_names)
    if len(names) != num_classes:
        raise ValueError(
            f"`class_names` does not fit the model. Got: {len(names)} names, "
            f"{names[:5]}. Expected {num_classes}, one per output."
        )
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ValueError(
            f"`class_names` holds a name twice. Got: {repeated[0]!r}. "
            "Expected different names; they are the keys of `per_class`."
        )
    return names


def from_predictions(probabilities, labels, *, class_names) -> Evaluation:
    """Metrics of probabilities that are there already.

    Args:
        probabilities: Float `[num_examples, num_classes]`.
        labels: Int `[num_examples]`.
        class_names: `num_classes` names, in the order of the columns.

    Example:
        >>> rows = np.array([[0.9, 0.1], [0.2, 0.8]])
        >>> found = from_predictions(
        ...     rows, np.array([0, 0]), class_names=["cat", "dog"]
        ... )
        >>> found.accuracy
        0.5
    """
    names = class_names
    predicted = probabilities.argmax(axis=1)
    # scikit-learn warns on a last digit that float16 models get wrong.
    total = probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    normalized = (probabilities / total).astype(np.float32)
    all_classes = range(len(names))
    precision, recall, f1, support = (
        sklearn_metrics.precision_recall_fscore_support(
            labels, predicted, labels=all_classes, zero_division=0
        )
    )
    macro_precision, macro_recall, macro_f1, _ = (
        sklearn_metrics.precision_recall_fscore_support(
            labels, predicted, average="macro", zero_division=0
        )
    )
    top_5_accuracy = None
    if len(names) > 5:
        top_5_accuracy = float(
            sklearn_metrics.top_k_accuracy_score(
                labels, probabilities, k=5, labels=all_classes
            )
        )
    return Evaluation(
        num_examples=len(labels),
        accuracy=float(sklearn_metrics.accuracy_score(labels, predicted)),
        top_5_accuracy=top_5_accuracy,
        # The mean over the labels' classes only; `balanced_accuracy_score` is
        # the same number, with a warning when another class is predicted.
        balanced_accuracy=float(recall[support > 0].mean()),
        macro_precision=float(macro_precision),
        macro_recall=float(macro_recall),
        macro_f1=float(macro_f1),
        log_loss=float(
            sklearn_metrics.log_loss(labels, normalized, labels=all_classes)
        ),
        per_class={
            name: {
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "support": int(support[index]),
            }
            for index, name in enumerate(names)
        },
        confusion_matrix=sklearn_metrics.confusion_matrix(
            labels, predicted, labels=all_classes
        ).tolist(),
    )
