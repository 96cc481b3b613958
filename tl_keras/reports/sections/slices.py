"""How good the model is on parts of the test part."""

from tl_keras.reports import blocks

_SCORES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "log_loss": "Log loss",
    "expected_calibration_error": "Calibration error",
}


def of(findings) -> blocks.Section | None:
    """The section, or None where the data has no metadata columns."""
    slices = findings.part("test", "slices")
    if not slices:
        return None
    return blocks.Section(
        name="slices",
        title="Slices",
        intro="The same model on examples that share a value of a column. "
        "Where intervals overlap, a difference may be chance.",
        blocks=tuple(table(name, slices[name]) for name in slices),
    )


def table(column: str, values: dict) -> blocks.Table:
    """A table with a row for each value of a column."""
    has_bounds = any(
        (row.get("intervals") or {}).get("accuracy") for row in values.values()
    )
    return blocks.Table(
        caption=f"Scores by {column}.",
        columns=(
            column,
            "Examples",
            *_SCORES.values(),
            *["Accuracy, low", "Accuracy, high"] * has_bounds,
        ),
        rows=tuple(
            (
                blocks.text(value),
                blocks.count(row["num_examples"]),
                *[blocks.score(row.get(name)) for name in _SCORES],
                *_bounds(row) * has_bounds,
            )
            for value, row in values.items()
        ),
    )


def _bounds(row):
    bounds = (row.get("intervals") or {}).get("accuracy") or (None, None)
    return [blocks.score(bound) for bound in bounds]
