"""How training went: curves by phase, the best epoch, the wait for data."""

from tl_keras.reports import blocks
from tl_keras.reports import drawings
from tl_keras.reports import figures

_FIRST = ("phase", "epoch")
_LAST = ("seconds", "waiting", "learning_rate")


def of(findings) -> blocks.Section | None:
    """The section, or None where no epoch was logged."""
    history = findings.part("history")
    if not history:
        return None
    best = findings.part("best")
    return blocks.Section(
        name="training",
        title="Training",
        intro=_intro(best),
        blocks=(*_curves(history, best), _epochs(history, best)),
    )


def _intro(best) -> str:
    if not best:
        return "The model has the weights of the last epoch."
    return (
        f"The model has the weights of epoch {best['epoch']} of the phase "
        f"“{best['phase']}”, which had the best "
        f"{blocks.words(best['monitor']).lower()}: {best['score']:.4f}."
    )


def _curves(history, best):
    row = best["row"] if best else None
    names = ["loss", *drawings.other_metric(history)]
    return tuple(_curve(history, row, name) for name in names)


def _curve(history, row, name):
    last = history[-1 if row is None else row]
    values = ", ".join(
        f"{blocks.words(key)} {last[key]:.3f}"
        for key in (name, f"val_{name}")
        if last.get(key) is not None
    )
    kept = "the last" if row is None else "the one that was kept"
    return figures.drawing(
        lambda figure: drawings.curve(figure, history, name, row),
        caption=f"{blocks.words(name)} by epoch. Phases are shaded in turn"
        + ("." if row is None else "; the dashed line marks the kept weights."),
        alt=f"Curves of the {name.replace('_', ' ')} over {len(history)} "
        f"epochs. At {kept}: {values}.",
        size=(4.6, 3.1),
        narrow=True,
    )


def _epochs(history, best):
    names = dict.fromkeys(name for row in history for name in row)
    middle = [n for n in names if n not in (*_FIRST, *_LAST)]
    shown = [*middle, *[name for name in _LAST if name in names]]
    return blocks.Table(
        caption="Every epoch.",
        columns=("Phase", "Epoch", *[blocks.words(name) for name in shown], ""),
        rows=tuple(
            (
                blocks.text(row["phase"]),
                blocks.count(row["epoch"]),
                *[_cell(name, row.get(name)) for name in shown],
                blocks.text("kept" if best and best["row"] == index else ""),
            )
            for index, row in enumerate(history)
        ),
        note="Waiting is the share of the training time that passed in wait "
        "for data; the learning rate is that of the head at the epoch’s end.",
        folded=len(history) > 8,
    )


def _cell(name, value):
    if name == "waiting":
        return blocks.percent(value)
    if name == "seconds":
        return blocks.decimal(value)
    if name == "learning_rate":
        return blocks.small(value)
    return blocks.score(value)
