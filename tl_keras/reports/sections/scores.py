"""How good the model is on the test part, and how sure that is."""

from tl_keras.reports import blocks

_NAMES = {
    "accuracy": "Accuracy",
    "top_5_accuracy": "Top-5 accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "matthews_correlation": "Matthews correlation",
    "cohen_kappa": "Cohen’s kappa",
    "roc_auc": "Area under the ROC curve",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "expected_calibration_error": "Calibration error (plain)",
    "debiased_calibration_error": "Calibration error (debiased)",
}
_LOW_IS_GOOD = (
    "log_loss",
    "brier_score",
    "expected_calibration_error",
    "debiased_calibration_error",
)
_AVERAGES = ("macro", "micro", "weighted")
_SCORES = ("precision", "recall", "f1")


def of(findings) -> blocks.Section | None:
    """The section, or None without a test part."""
    test = findings.part("test")
    if not test:
        return None
    return blocks.Section(
        name="test",
        title="Test scores",
        intro=_intro(test),
        blocks=(_overall(test), _averages(test)),
    )


def _intro(test) -> str:
    settings = test.get("interval_settings")
    if not settings:
        return f"On {test['num_examples']:,} examples of the test part."
    return (
        f"On {test['num_examples']:,} examples of the test part. Intervals "
        f"are of {settings['level']:.0%}, from {settings['count']:,} "
        "bootstrap samples of these examples: another test part of the same "
        "kind would give a score within them about so often."
    )


def _overall(test):
    bounds = test.get("intervals") or {}
    rows = [
        (
            blocks.text(title),
            blocks.score(test[name]),
            *_bounds(bounds, bounds.get(name)),
            blocks.text("low" if name in _LOW_IS_GOOD else "high"),
        )
        for name, title in _NAMES.items()
        if test.get(name) is not None
    ]
    return blocks.Table(
        caption="Scores over all classes.",
        columns=("Score", "Value", *_bound_names(bounds), "Good when"),
        rows=tuple(rows),
    )


def _averages(test):
    bounds = test.get("intervals") or {}
    rows = []
    for average in _AVERAGES:
        names = [f"{average}_{score}" for score in _SCORES]
        if test.get(names[0]) is None:
            continue
        cells = [blocks.text(average.capitalize())]
        for name in names:
            cells.append(blocks.score(test[name]))
            cells += _bounds(bounds, bounds.get(name))
        rows.append(tuple(cells))
    headers = []
    for score in ("Precision", "Recall", "F1"):
        headers.append(score)
        headers += [f"{score}, {name.lower()}" for name in _bound_names(bounds)]
    return blocks.Table(
        caption="Averages over the classes: macro counts classes alike, "
        "micro examples alike, weighted classes by their examples.",
        columns=("Average", *headers),
        rows=tuple(rows),
    )


def _bound_names(bounds) -> list[str]:
    return ["Low", "High"] if bounds else []


def _bounds(bounds, interval) -> list[blocks.Cell]:
    if not bounds:
        return []
    return [blocks.score(bound) for bound in interval or (None, None)]
