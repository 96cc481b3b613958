"""The drawings of the report; each gets a figure and what it shows."""

import itertools

import numpy as np
from matplotlib import ticker

from tl_keras.reports import palette
from tl_keras.reports import phase_spans


def curve(figure, history, name: str, best=None):
    """A score over all epochs, in training and in validation.

    Args:
        figure: A `matplotlib.figure.Figure`.
        history: Rows as in `FitResult.history`.
        name: Of the score, e.g. `"loss"`.
        best: Index of the row whose weights were kept, or None.
    """
    panel = figure.subplots()
    _bands(panel, history)
    _lines(panel, history, name)
    if best is not None:
        panel.axvline(
            best + 1, color=palette.light("third"), lw=1.2, ls=(0, (3, 2))
        )
    panel.legend(loc="best", fontsize=9)


def other_metric(history) -> list[str]:
    """What is drawn beside the loss: the accuracy, or else another score."""
    names = dict.fromkeys(
        name.removeprefix("val_")
        for row in history
        for name in row
        if name.startswith("val_")
    )
    others = [name for name in names if name != "loss"]
    return ["accuracy"] if "accuracy" in others else others[:1]


def reliability(figure, bins):
    """How often the model is right by how sure it is.

    Args:
        figure: A `matplotlib.figure.Figure`.
        bins: Dicts with `low`, `high`, `num_examples`, `confidence` and
            `accuracy`.
    """
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [entry for entry in bins if entry["num_examples"]]
    upper.plot([0, 1], [0, 1], color=palette.light("muted"), lw=1, ls="--")
    upper.plot(
        [entry["confidence"] for entry in filled],
        [entry["accuracy"] for entry in filled],
        color=palette.light("first"),
        marker="o",
        ms=4,
    )
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
    lower.bar(
        [entry["low"] for entry in bins],
        [entry["num_examples"] for entry in bins],
        width=[entry["high"] - entry["low"] for entry in bins],
        align="edge",
        color=palette.light("first"),
        alpha=0.75,
        edgecolor=palette.light("ground"),
    )
    lower.set(xlabel="highest probability", ylabel="examples")
    lower.yaxis.set_major_locator(ticker.MaxNLocator(2, integer=True))
    lower.yaxis.set_major_formatter("{x:,.0f}")


def coverage(figure, selective):
    """Accuracy on the examples of which the model is surest.

    Args:
        figure: A `matplotlib.figure.Figure`.
        selective: Dict with lists `coverage` and `accuracy`.
    """
    panel = figure.subplots()
    panel.plot(
        selective["coverage"],
        selective["accuracy"],
        color=palette.light("first"),
    )
    panel.set(
        xlim=(0, 1),
        xlabel="share of the examples that is answered",
        ylabel="accuracy on these",
    )
    panel.margins(y=0.08)


def curve_family(figure, curves_by_name, x: str, y: str, diagonal: bool):
    """A curve for each of a few classes, such as ROC curves.

    Args:
        figure: A `matplotlib.figure.Figure`.
        curves_by_name: Class name to a dict of lists `x` and `y`.
        x: Key of what is drawn to the right.
        y: Key of what is drawn upwards.
        diagonal: Whether chance is a diagonal line.
    """
    panel = figure.subplots()
    if diagonal:
        panel.plot([0, 1], [0, 1], color=palette.light("muted"), lw=1, ls="--")
    for index, (name, curve) in enumerate(curves_by_name.items()):
        panel.plot(
            curve[x],
            curve[y],
            label=shortened(name),
            color=_series(index),
            lw=1.5,
        )
    panel.set(xlim=(0, 1), ylim=(0, 1.02))
    panel.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "))
    panel.legend(loc="lower right" if diagonal else "lower left", fontsize=8.5)


def intervals(figure, rows, axis: str):
    """A mean with its interval a row.

    Args:
        figure: A `matplotlib.figure.Figure`.
        rows: Triples of a name, a value and `(low, high)` or None.
        axis: What the values are.
    """
    panel = figure.subplots()
    places = np.arange(len(rows))[::-1]
    for place, (_, value, bounds) in zip(places, rows, strict=True):
        if bounds and None not in bounds:
            panel.plot(
                bounds, [place, place], color=palette.light("first"), lw=2.5
            )
        panel.plot(value, place, "o", color=palette.light("second"), ms=5)
    panel.set_yticks(places, [shortened(name) for name, _, _ in rows])
    panel.set_ylim(-0.7, len(rows) - 0.3)
    panel.set_xlabel(axis)
    panel.margins(x=0.08)


def trials(figure, values_by_name, axis: str):
    """Every value of a few series as a dot, and the mean as a line.

    Args:
        figure: A `matplotlib.figure.Figure`.
        values_by_name: Name to the values.
        axis: What they are.
    """
    panel = figure.subplots()
    names = list(values_by_name)
    for place, (name, values) in enumerate(values_by_name.items()):
        offsets = np.linspace(-0.18, 0.18, len(values))
        row = len(names) - 1 - place
        panel.plot(
            values,
            row + offsets,
            "o",
            color=_series(place),
            alpha=0.7,
            ms=4.5,
            label=name,
        )
        panel.plot(
            [np.mean(values)] * 2,
            [row - 0.32, row + 0.32],
            color=palette.light("ink"),
            lw=2,
        )
    panel.set_yticks(range(len(names))[::-1], map(shortened, names))
    panel.set_ylim(-0.6, len(names) - 0.4)
    panel.set_xlabel(axis)


def severities(figure, by_corruption, mean, clean):
    """Accuracy by severity, for each corruption and on average.

    Args:
        figure: A `matplotlib.figure.Figure`.
        by_corruption: Name to a list of accuracies, severity 1 first.
        mean: The list of their means.
        clean: Accuracy without corruption.
    """
    panel = figure.subplots()
    steps = range(len(mean) + 1)
    for values in by_corruption.values():
        panel.plot(steps, [clean, *values], color=palette.light("line"), lw=1.2)
    for index, name in enumerate(_extremes(by_corruption)):
        panel.plot(
            steps,
            [clean, *by_corruption[name]],
            color=_series(index + 1),
            label=name.replace("_", " "),
            lw=1.4,
        )
    panel.plot(
        steps,
        [clean, *mean],
        color=palette.light("first"),
        lw=2.6,
        marker="o",
        ms=4,
        label="mean",
    )
    panel.set(xlabel="severity", ylabel="accuracy")
    panel.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    panel.legend(fontsize=8.5, loc="lower left")


def deletion(figure, checks):
    """The class's probability while pixels go, and while they come.

    Args:
        figure: A `matplotlib.figure.Figure`.
        checks: Dict with lists `fractions`, `deletion`, `insertion`,
            `random_deletion` and `random_insertion`.
    """
    panels = figure.subplots(1, 2, sharey=True)
    for panel, kind in zip(panels, ("deletion", "insertion"), strict=True):
        panel.plot(
            checks["fractions"],
            checks[kind],
            color=palette.light("first"),
            label="by the map",
        )
        panel.plot(
            checks["fractions"],
            checks[f"random_{kind}"],
            color=palette.light("muted"),
            ls="--",
            label="at random",
        )
        panel.set(xlim=(0, 1), xlabel=f"share of pixels, {kind}")
    panels[0].set_ylabel("probability")
    panels[0].legend(fontsize=8.5)


def shortened(name, length: int = 26) -> str:
    """A name that has room in a drawing.

    Example:
        >>> shortened("an unreasonably long name", 12)
        'an unreas...'
    """
    name = str(name)
    return name if len(name) <= length else name[: length - 3] + "..."


def _bands(panel, history):
    """Shades the phases in turn, and names them on top."""
    spans = phase_spans.of(history)
    for index, (name, start, end) in enumerate(spans):
        if index % 2:
            panel.axvspan(
                start + 0.5, end + 0.5, color=palette.light("band"), zorder=0
            )
        room = int(46 * (end - start) / len(history))
        panel.text(
            (start + end) / 2 + 0.5,
            1.02,
            shortened(name, max(4, room)),
            transform=panel.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=palette.light("muted"),
        )
    for _, start, _ in spans[1:]:
        panel.axvline(start + 0.5, color=palette.light("line"), lw=1)


def _lines(panel, history, name):
    epochs = np.arange(1, len(history) + 1)
    for key, label, color in (
        (name, "training", "second"),
        (f"val_{name}", "validation", "first"),
    ):
        values = np.array([row.get(key) for row in history], float)
        if np.isfinite(values).any():
            panel.plot(
                epochs,
                values,
                label=label,
                color=palette.light(color),
                marker="o" if len(history) < 40 else "",
                ms=3.5,
            )
    panel.set_xlim(0.5, len(history) + 0.5)
    panel.xaxis.set_major_locator(
        ticker.MaxNLocator(integer=True, min_n_ticks=1)
    )
    panel.set(xlabel="epoch", ylabel=name.replace("_", " "))


def _extremes(by_corruption) -> list[str]:
    """The corruptions that cost most and least."""
    ranked = sorted(by_corruption, key=lambda name: sum(by_corruption[name]))
    return list(dict.fromkeys([*ranked[:2], *ranked[-1:]]))


def _series(index: int) -> str:
    cycle = itertools.cycle(palette.SERIES)
    return palette.light(next(itertools.islice(cycle, index, None)))
