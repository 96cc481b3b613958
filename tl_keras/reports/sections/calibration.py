"""Whether the model is as often right as it says."""

from tl_keras.reports import blocks
from tl_keras.reports import drawings
from tl_keras.reports import figures

_SCORES = {
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "expected_calibration_error": "Calibration error (plain)",
    "debiased_calibration_error": "Calibration error (debiased)",
}


def of(findings) -> blocks.Section | None:
    """The section, or None where calibration was not measured."""
    content = []
    bins = findings.part("test", "reliability")
    if bins:
        content.append(_diagram(bins))
    calibration = findings.part("calibration")
    if calibration:
        content += [_facts(calibration), _before_and_after(calibration)]
    if bins:
        content.append(_bins(bins))
    if not content:
        return None
    return blocks.Section(
        name="calibration",
        title="Calibration",
        intro="A calibrated model that is 80% sure is right 80 times in 100. "
        "Points below the diagonal: it is surer than it should be.",
        blocks=tuple(content),
    )


def _diagram(bins):
    filled = [entry for entry in bins if entry["num_examples"]]
    widest = max(
        filled, key=lambda entry: abs(entry["confidence"] - entry["accuracy"])
    )
    return figures.drawing(
        lambda figure: drawings.reliability(figure, bins),
        caption="Reliability: how often the model is right by its highest "
        "probability, and below how many examples that is.",
        alt="Reliability diagram. The largest gap: examples with a mean "
        f"confidence of {widest['confidence']:.2f} are right with a share of "
        f"{widest['accuracy']:.2f}.",
        size=(4.6, 4.2),
        narrow=True,
    )


def _facts(calibration):
    return blocks.Facts(
        rows=(
            ("Temperature", blocks.decimal(calibration["temperature"], 3)),
            (
                "Part of the export",
                blocks.any_value(calibration["applied"]),
            ),
            ("Why", blocks.text(calibration["reason"])),
            (
                "Fitted on validation examples",
                blocks.count(calibration["num_examples"]),
            ),
        )
    )


def _before_and_after(calibration):
    rows = []
    for part in ("validation", "test"):
        scores = calibration.get(part)
        for name, title in _SCORES.items() if scores else ():
            rows.append(
                (
                    blocks.text(title),
                    blocks.text(part),
                    blocks.score(scores["before"].get(name)),
                    blocks.score(scores["after"].get(name)),
                )
            )
    return blocks.Table(
        caption="What the temperature changes; low is good.",
        columns=("Score", "Part", "Before", "After"),
        rows=tuple(rows),
    )


def _bins(bins):
    return blocks.Table(
        caption="The points of the reliability diagram.",
        columns=("From", "To", "Examples", "Mean confidence", "Accuracy"),
        rows=tuple(
            (
                blocks.decimal(entry["low"], 3),
                blocks.decimal(entry["high"], 3),
                blocks.count(entry["num_examples"]),
                blocks.score(entry["confidence"]),
                blocks.score(entry["accuracy"]),
            )
            for entry in bins
        ),
        folded=True,
    )
