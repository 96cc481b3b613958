"""How good a classifier is on labelled examples."""

import dataclasses

import numpy as np
from sklearn import metrics as sklearn_metrics

from tl_keras import cards
from tl_keras import checks
from tl_keras.evaluation import calibration_error
from tl_keras.evaluation import curves
from tl_keras.evaluation import intervals
from tl_keras.evaluation import predictions
from tl_keras.evaluation import resampling
from tl_keras.evaluation import sample as samples
from tl_keras.evaluation import selective
from tl_keras.evaluation import slices
from tl_keras.evaluation import thresholds

# A table with more classes than this shows the worst of them.
_MAX_CLASSES_SHOWN = 40
_MAX_NAME_WIDTH = 30


def evaluate(
    model,
    dataset,
    *,
    class_names=None,
    columns=None,
    resamples=None,
    precision: float = thresholds.WANTED,
    recall: float = thresholds.WANTED,
) -> "Evaluation":
    """Metrics of a classifier on a dataset, from one pass over it.

    The figures are scikit-learn's, with confidence intervals. `print` shows
    them as a table.

    Args:
        model: A `keras.Model`, as
            `tl_keras.evaluation.predict_probabilities` takes it.
        dataset: A finite, batched `tf.data.Dataset` of `(inputs, labels)`,
            such as `data.test`. Labels are class indices or one-hot.
        class_names: Names of the classes in the order of the outputs. By
            default those that `fit` left in the model, else "0", "1", ...
        columns: Column name to a value (text or number) for each example, in
            the dataset's order, such as `data.columns("test")`: metrics are
            told for each value too. None for none.
        resamples: A `tl_keras.evaluation.Resamples`: how the intervals are
            found; None for its defaults.
        precision: What `thresholds` are to reach, in [0, 1].
        recall: Likewise.

    Returns:
        An `Evaluation`.

    Raises:
        TypeError, ValueError: As `tl_keras.evaluation.predict_probabilities`
            does, and if `class_names` has another length than the outputs or
            holds a name twice, or an argument does not fit.

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
        names_of(class_names, model, model.outputs[0].shape[-1])
    probabilities, labels = predictions.predict_probabilities(model, dataset)
    return from_predictions(
        probabilities,
        labels,
        class_names=names_of(class_names, model, probabilities.shape[1]),
        columns=columns,
        resamples=resamples,
        precision=precision,
        recall=recall,
    )


def from_predictions(
    probabilities,
    labels,
    *,
    class_names=None,
    columns=None,
    resamples=None,
    precision: float = thresholds.WANTED,
    recall: float = thresholds.WANTED,
) -> "Evaluation":
    """Metrics of predictions that are there already.

    Args:
        probabilities: Float array-like `[examples, num_classes]`, rows that
            sum to 1.
        labels: Class indices `[examples]`, or one-hot rows.
        class_names: Names of the classes; None for "0", "1", ...
        columns, resamples, precision, recall: As in `evaluate`.

    Returns:
        An `Evaluation`.

    Raises:
        TypeError, ValueError: If an argument does not fit.

    Example:
        >>> found = from_predictions([[0.9, 0.1], [0.2, 0.8]], [0, 0])
        >>> found.accuracy, found.num_examples
        (0.5, 2)
    """
    probabilities, labels = predictions.checked(probabilities, labels)
    names = names_of(class_names, None, probabilities.shape[1])
    resamples = resampling.Resamples() if resamples is None else resamples
    checks.instance(
        resamples,
        resampling.Resamples,
        name="resamples",
        hint="Write `tl_keras.evaluation.Resamples(count=1000)`.",
    )
    checks.instance(columns or {}, dict, name="columns")
    # The last digit of float16 models is wrong.
    total = probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    probabilities = (probabilities / total).astype(np.float32)
    sample = samples.Sample(probabilities, labels)
    roc_auc, average_precision = curves.areas(probabilities, labels)
    found, found_by_class = {}, [{} for _ in names]
    if resamples.count:
        found, found_by_class = intervals.of(sample, resamples)
    overall = _overall(sample)
    by_class = {
        name: overall.pop(name) for name in ("precision", "recall", "f1")
    }
    support = np.bincount(labels, minlength=len(names))
    return Evaluation(
        num_examples=len(labels),
        top_5_accuracy=overall.pop("top_5_accuracy", None),
        **overall,
        roc_auc=_mean_of_known(roc_auc),
        average_precision=_mean_of_known(average_precision),
        per_class={
            name: {
                **{score: float(by_class[score][i]) for score in by_class},
                "support": int(support[i]),
                "roc_auc": _known(roc_auc[i]),
                "average_precision": _known(average_precision[i]),
                "intervals": found_by_class[i],
            }
            for i, name in enumerate(names)
        },
        confusion_matrix=sklearn_metrics.confusion_matrix(
            labels, sample.predicted, labels=range(len(names))
        ).tolist(),
        reliability=calibration_error.reliability(
            sample.confidence, sample.correct
        ),
        curves=curves.curves(probabilities, labels, names, average_precision),
        thresholds=thresholds.by_class(
            probabilities, labels, names, precision=precision, recall=recall
        ),
        selective=selective.coverage_curve(sample.confidence, sample.correct),
        intervals={k: found[k] for k in sorted(found)},
        interval_settings=dataclasses.asdict(resamples),
        slices=slices.by_columns(sample, columns or {}, resamples),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
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
        micro_precision: Precision of all classes together, which is the
            accuracy, as each example has one label.
        micro_recall: Likewise.
        micro_f1: Likewise.
        weighted_precision: Mean of the classes' precision, weighted by their
            numbers of examples.
        weighted_recall: Likewise; the accuracy.
        weighted_f1: Likewise.
        matthews_correlation: Matthews' correlation coefficient, in [-1, 1].
        cohen_kappa: Cohen's kappa, at most 1.
        roc_auc: Mean over the classes of the area under the ROC curve of the
            class against the rest; without classes that no example or every
            example has, None if all are such.
        average_precision: Likewise the mean average precision (the area under
            the precision-recall curve).
        log_loss: Mean negative logarithm of the label's probability, natural
            logarithm; probabilities are clipped at 1.2e-7 (float32).
        brier_score: Mean squared distance of the probabilities from the
            one-hot label, summed over the classes, in [0, 2]. For two
            classes it is twice scikit-learn's.
        expected_calibration_error: Mean distance of the predicted class's
            probability from the accuracy, in 15 bins of equal width. It is
            too large where there are few examples.
        debiased_calibration_error: An estimate of it without most of what
            comes from noise, see
            `tl_keras.evaluation.calibration_error.errors`.
        per_class: Class name to a dict with `precision`, `recall`, `f1`,
            `support` (number of examples with that label), `roc_auc` and
            `average_precision` (None where undefined), and `intervals` of the
            first three; every class of the model in the order of its outputs.
        confusion_matrix: Nested lists of counts, `[label][prediction]`.
        reliability: The 15 bins, see
            `tl_keras.evaluation.calibration_error.reliability`.
        curves: ROC and precision-recall curves, see
            `tl_keras.evaluation.curves.curves`.
        thresholds: From which probability on a class is predicted with a
            wanted precision or recall, see
            `tl_keras.evaluation.thresholds.by_class`.
        selective: Accuracy where the model is sure, see
            `tl_keras.evaluation.selective.coverage_curve`.
        intervals: Metric to `[low, high]`, see
            `tl_keras.evaluation.intervals.of`. That of
            `expected_calibration_error` is for the error of the model, and
            made from the debiased estimate; it need not hold the plain one.
        interval_settings: `count`, `seed` and `level` of the resamples.
        slices: Column to value to metrics of these examples, see
            `tl_keras.evaluation.slices.by_columns`.
    """

    num_examples: int
    accuracy: float
    top_5_accuracy: float | None
    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    micro_precision: float
    micro_recall: float
    micro_f1: float
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    matthews_correlation: float
    cohen_kappa: float
    roc_auc: float | None
    average_precision: float | None
    log_loss: float
    brier_score: float
    expected_calibration_error: float
    debiased_calibration_error: float
    per_class: dict[str, dict] = dataclasses.field(repr=False)
    confusion_matrix: list[list[int]] = dataclasses.field(repr=False)
    reliability: list[dict] = dataclasses.field(repr=False)
    curves: dict = dataclasses.field(repr=False)
    thresholds: dict = dataclasses.field(repr=False)
    selective: dict = dataclasses.field(repr=False)
    intervals: dict[str, list[float]] = dataclasses.field(repr=False)
    interval_settings: dict = dataclasses.field(repr=False)
    slices: dict = dataclasses.field(repr=False)

    def as_dict(self) -> dict:
        """The fields as plain numbers, lists and dicts, ready for JSON."""
        return dataclasses.asdict(self)

    def threshold_table(self, kind: str) -> str:
        """The thresholds for a wanted precision or recall, to be printed.

        Args:
            kind: "precision" or "recall".
        """
        [(wanted, rows)] = self.thresholds[kind].items()
        width = max(map(len, [*map(_shortened, rows), "class"]))
        lines = [
            f"Thresholds for a {kind} of at least {wanted}",
            f"{'class':<{width}}  threshold  precision  recall",
        ]
        for name, row in rows.items():
            shown = "cannot be reached"
            if row is not None:
                shown = (
                    f"{row['threshold']:9.4f}  {row['precision']:9.4f}  "
                    f"{row['recall']:6.4f}"
                )
            lines.append(f"{_shortened(name):<{width}}  {shown}")
        return "\n".join(lines)

    def __str__(self):
        lines = [f"{self.num_examples} examples, {len(self.per_class)} classes"]
        for label, name in _SHOWN.items():
            value = getattr(self, name)
            if value is not None:
                shown = f"{label:<18}{value:8.4f}"
                lines.append(shown + _range_of(self.intervals.get(name)))
        lines += ["", *_per_class_lines(self.per_class)]
        for column, parts in self.slices.items():
            lines += ["", *_slice_lines(column, parts)]
        return "\n".join(lines)


# What a table shows of the overall figures.
_SHOWN = {
    "accuracy": "accuracy",
    "top-5 accuracy": "top_5_accuracy",
    "balanced accuracy": "balanced_accuracy",
    "macro precision": "macro_precision",
    "macro recall": "macro_recall",
    "macro F1": "macro_f1",
    "ROC AUC": "roc_auc",
    "average precision": "average_precision",
    "Matthews corr.": "matthews_correlation",
    "Cohen's kappa": "cohen_kappa",
    "log loss": "log_loss",
    "Brier score": "brier_score",
    "calibration error": "expected_calibration_error",
}


def _range_of(interval) -> str:
    return "" if interval is None else "  [{:.4f}, {:.4f}]".format(*interval)


def _slice_lines(column: str, parts) -> list[str]:
    names = [_shortened(name) for name in parts]
    width = max(map(len, [*names, _shortened(column)]))
    lines = [f"{_shortened(column):<{width}}  examples  accuracy"]
    for name, part in zip(names, parts.values(), strict=True):
        lines.append(
            f"{name:<{width}}  {part['num_examples']:8d}  "
            f"{part['accuracy']:8.4f}"
            + _range_of(part["intervals"].get("accuracy"))
        )
    return lines


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


def names_of(class_names, model, num_classes: int) -> tuple[str, ...]:
    """The names of classes to use, one per output of a model.

    Args:
        class_names: What the user gave, or None.
        model: A `keras.Model` that may know them, or None.
        num_classes: Number of outputs.

    Raises:
        ValueError: If there is another number of names, or one twice.
    """
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
    if len(set(names)) < len(names):
        [repeated, *_] = [name for name in names if names.count(name) > 1]
        raise ValueError(
            f"`class_names` holds a name twice. Got: {repeated!r}. "
            "Expected different names; they are the keys of `per_class`."
        )
    return names


def _overall(sample) -> dict:
    """Metrics of each example once; of the classes as arrays."""
    found = {name: values[0] for name, values in sample.metrics().items()}
    return {
        name: value if np.ndim(value) else float(value)
        for name, value in found.items()
    }


def _mean_of_known(values) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _known(value) -> float | None:
    return float(value) if np.isfinite(value) else None
