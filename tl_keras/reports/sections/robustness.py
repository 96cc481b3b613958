"""How good the model is on inputs that are worse than the test part's."""

from tl_keras.reports import blocks
from tl_keras.reports import drawings
from tl_keras.reports import figures


def of(findings) -> blocks.Section | None:
    """The section, or None where nothing was corrupted."""
    found = findings.part("robustness")
    if not found:
        return None
    return blocks.Section(
        name="robustness",
        title="Robustness",
        intro=f"On {found['num_examples']:,} examples of the test part, "
        "corrupted at five severities.",
        blocks=(_drawing(found), _facts(found), _table(found)),
    )


def _drawing(found):
    worst = min(found["by_corruption"], key=found["by_corruption"].get)
    return figures.drawing(
        lambda figure: drawings.severities(
            figure,
            found["accuracy"],
            found["by_severity"],
            found["clean_accuracy"],
        ),
        caption="Accuracy by severity: the mean over all corruptions, the two "
        "that cost most, the one that costs least, the others in grey.",
        alt=f"Mean accuracy falls from {found['clean_accuracy']:.3f} to "
        f"{found['by_severity'][-1]:.3f} at the highest severity. "
        f"{worst.replace('_', ' ')} costs most.",
        size=(6.4, 3.4),
    )


def _facts(found):
    rows = [
        ("Accuracy, not corrupted", blocks.score(found["clean_accuracy"])),
        ("Mean accuracy, corrupted", blocks.score(found["mean_accuracy"])),
    ]
    bounds = found.get("mean_accuracy_interval")
    if bounds and None not in bounds:
        low, high = bounds
        rows += [
            ("Its 95% interval from", blocks.score(low)),
            ("to", blocks.score(high)),
        ]
    rows.append(("Of the first", blocks.percent(found["relative_accuracy"])))
    return blocks.Facts(rows=tuple(rows))


def _table(found):
    steps = range(1, len(found["by_severity"]) + 1)
    return blocks.Table(
        caption="Accuracy by corruption and severity.",
        columns=("Corruption", "Mean", *[f"Severity {s}" for s in steps]),
        rows=tuple(
            (
                blocks.text(name.replace("_", " ")),
                blocks.score(found["by_corruption"][name]),
                *[blocks.score(value) for value in values],
            )
            for name, values in found["accuracy"].items()
        ),
    )
