"""When to trust an answer: coverage and thresholds."""

from tl_keras.reports import blocks
from tl_keras.reports import drawings
from tl_keras.reports import figures

_MAX_CLASSES = 40


def of(findings) -> blocks.Section | None:
    """The section, or None where neither was computed."""
    content = []
    selective = findings.part("test", "selective")
    if selective and selective["coverage"]:
        content.append(_coverage(selective))
    thresholds = findings.part("test", "thresholds") or {}
    for wanted, by_target in thresholds.items():
        for target, by_class in by_target.items():
            if by_class:
                content.append(_table(wanted, target, by_class))
    if not content:
        return None
    return blocks.Section(
        name="decisions",
        title="When to trust an answer",
        intro="Where a wrong answer costs more than none, the model can keep "
        "silent when it is unsure.",
        blocks=tuple(content),
    )


def _coverage(selective):
    accuracies = selective["accuracy"]
    half = min(
        range(len(accuracies)),
        key=lambda index: abs(selective["coverage"][index] - 0.5),
    )
    return figures.drawing(
        lambda figure: drawings.coverage(figure, selective),
        caption="Accuracy on the share of the examples of which the model is "
        f"surest; {selective['mean_accuracy']:.3f} on average over the shares.",
        alt=f"Coverage curve: accuracy {accuracies[half]:.3f} when half of "
        f"the examples are answered, {accuracies[-1]:.3f} when all are.",
        size=(4.6, 3.1),
        narrow=True,
    )


def _table(wanted, target, by_class):
    names = list(by_class)
    names = sorted(
        names,
        key=lambda name: (by_class[name] or {"threshold": 2.0})["threshold"],
        reverse=True,
    )
    shown = [name for name in by_class if name in names[:_MAX_CLASSES]]
    return blocks.Table(
        caption=f"Thresholds by class for a {wanted} of at least {target}.",
        columns=("Class", "Threshold", "Precision", "Recall"),
        rows=tuple(
            (
                blocks.text(name),
                *[
                    blocks.score((by_class[name] or {}).get(key))
                    for key in ("threshold", "precision", "recall")
                ],
            )
            for name in shown
        ),
        note="" if all(by_class.values()) else "none: no threshold reaches it.",
        folded=len(by_class) > 12,
    )
