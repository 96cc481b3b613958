"""Small plots of the results."""

import pathlib
import statistics

from comparison import tables

_COLOURS = {
    "tl_keras": "tab:blue",
    "guide": "tab:orange",
    "keras_hub": "tab:green",
    "limit": "tab:gray",
    "tl_keras_plan": "tab:blue",
    "guide_twice": "tab:orange",
}
_LABELS = {"tl_keras_plan": "tl_keras", "guide_twice": "guide"}


def draw(rounds: dict, folder) -> list[pathlib.Path]:
    """Draws what there is, one PNG a mode, and returns the files."""
    import matplotlib

    matplotlib.use("Agg")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"times": _times, "accuracy": _accuracy}
    drawn = []
    for mode, make in makers.items():
        if mode in rounds:
            figure = make(rounds[mode])
            drawn.append(folder / f"compare_{mode}.png")
            figure.savefig(drawn[-1], dpi=80, bbox_inches="tight")
    return drawn


def _times(works):
    """Bars of the median seconds, a group of them for each work."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.9 * len(works)))
    names = [
        name
        for name in _COLOURS
        if any(name in one for rounds in works.values() for one in rounds)
    ]
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        rows, seconds = [], []
        for row, rounds in enumerate(works.values()):
            found = [one[name] for one in rounds if name in one]
            if found:
                rows.append(row + place * height)
                seconds.append(
                    statistics.median(map(tables.total_seconds, found))
                )
        bars = axes.barh(
            rows, seconds, height, color=_COLOURS[name], label=name
        )
        axes.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=7)
    middle = 0.4 - height / 2
    axes.set_yticks([row + middle for row in range(len(works))], works)
    axes.tick_params("y", labelsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("seconds, median")
    axes.legend()
    return figure


def _accuracy(works):
    """Validation accuracy over time, a line for each round."""
    from matplotlib import pyplot

    figure, all_axes = pyplot.subplots(
        len(works), figsize=(7, 4 * len(works)), squeeze=False
    )
    for (key, rounds), axes in zip(works.items(), all_axes[:, 0], strict=True):
        for number, one in enumerate(rounds):
            for name, report in one.items():
                axes.plot(
                    [epoch["seconds"] for epoch in report["epochs"]],
                    [epoch["val_accuracy"] for epoch in report["epochs"]],
                    marker=".",
                    color=_COLOURS[name],
                    label=None if number else _LABELS[name],
                )
        axes.set_title(key, fontsize=8)
        axes.set_xlabel("seconds")
        axes.set_ylabel("validation accuracy")
        axes.legend()
    figure.tight_layout()
    return figure
