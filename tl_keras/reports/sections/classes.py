"""How good the model is by class, and what it takes for what."""

import numpy as np

from tl_keras.reports import blocks
from tl_keras.reports import figures
from tl_keras.reports.sections import summary

_MAX_MATRIX = 24
_MAX_PAIRS = 15


def of(findings) -> blocks.Section | None:
    """The section, or None without a test part."""
    test = findings.part("test")
    if not test:
        return None
    content = [_per_class(test["per_class"])]
    if len(test["per_class"]) <= _MAX_MATRIX:
        content.append(_matrix(test))
    else:
        content.append(_matrix_picture(test["confusion_matrix"]))
    pairs = summary.confused(test)
    if pairs:
        content.append(_pairs(pairs[:_MAX_PAIRS]))
    return blocks.Section(
        name="classes", title="Classes", blocks=tuple(content)
    )


def _per_class(per_class):
    names = {
        "precision": "Precision",
        "recall": "Recall",
        "f1": "F1",
        "roc_auc": "ROC area",
        "average_precision": "Average precision",
    }
    rows = per_class.values()
    shown = {
        name: title
        for name, title in names.items()
        if any(row.get(name) is not None for row in rows)
    }
    has_bounds = any((row.get("intervals") or {}).get("f1") for row in rows)
    return blocks.Table(
        caption="Scores by class. A click on a column’s name sorts.",
        columns=(
            "Class",
            "Examples",
            *shown.values(),
            *["F1, low", "F1, high"] * has_bounds,
        ),
        rows=tuple(
            (
                blocks.text(name),
                blocks.count(row["support"]),
                *[
                    blocks.score(
                        row.get(key), share=row["f1"] if key == "f1" else None
                    )
                    for key in shown
                ],
                *_f1_bounds(row) * has_bounds,
            )
            for name, row in per_class.items()
        ),
    )


def _f1_bounds(row):
    bounds = (row.get("intervals") or {}).get("f1") or (None, None)
    return [blocks.score(bound) for bound in bounds]


def _matrix(test):
    """Counts, shaded by the root of their share of the label's examples."""
    names = list(test["per_class"])
    rows = []
    for name, counts in zip(names, test["confusion_matrix"], strict=True):
        total = sum(counts) or 1
        rows.append(
            (
                blocks.text(name),
                *[
                    blocks.count(
                        value, level=round(10 * (value / total) ** 0.5)
                    )
                    for value in counts
                ],
            )
        )
    return blocks.Table(
        caption="Confusion matrix: labels in rows, predictions in columns, "
        "shaded by the share of the label’s examples.",
        columns=("Label", *names),
        rows=tuple(rows),
        sortable=False,
        compact=True,
    )


def _matrix_picture(matrix):
    """A pixel for each count, since of many classes numbers have no room."""
    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return figures.pixels(
        shares**0.5,
        caption="Confusion matrix: labels from top to bottom, predictions from "
        "left to right, in the order of the classes; the darker, the larger "
        "the share of the label’s examples.",
        alt=f"Confusion matrix of {len(matrix)} classes; "
        f"{counts.trace():,} of {counts.sum():,} examples are on its diagonal.",
    )


def _pairs(pairs):
    largest = pairs[0][2]
    return blocks.Table(
        caption="The errors made most often.",
        columns=("Label", "Taken for", "Examples"),
        rows=tuple(
            (
                blocks.text(label),
                blocks.text(predicted),
                blocks.count(count, share=count / largest),
            )
            for label, predicted, count in pairs
        ),
    )
