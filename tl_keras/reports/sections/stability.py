"""How much the scores hang on the split and on chance."""

from tl_keras.reports import blocks
from tl_keras.reports import drawings
from tl_keras.reports import figures

_TITLES = {
    "cross_validation": "Cross-validation",
    "seeds": "Over seeds",
    "splits": "Over splits",
}


def of(findings) -> blocks.Section | None:
    """The section, or None where nothing was repeated."""
    found = {
        "cross_validation": findings.part("cross_validation"),
        "seeds": findings.part("stability", "seeds"),
        "splits": findings.part("stability", "splits"),
    }
    found = {_TITLES[name]: one for name, one in found.items() if one}
    if not found:
        return None
    content = [_trials(found)]
    for title, one in found.items():
        content += [_table(title, one), _facts(one), _each(title, one)]
    return blocks.Section(
        name="stability",
        title="Cross-validation and stability",
        intro="The same training again, on other parts of the data or from "
        "other random beginnings.",
        blocks=tuple(content),
    )


def _trials(found):
    values = {
        title: [trial["accuracy"] for trial in one["trials"]]
        for title, one in found.items()
    }
    spans = "; ".join(
        f"{title}: {min(v):.3f} to {max(v):.3f}" for title, v in values.items()
    )
    return figures.drawing(
        lambda figure: drawings.trials(figure, values, "accuracy"),
        caption="Accuracy of every trial, and its mean as a line.",
        alt=f"Dots for each trial's accuracy. {spans}.",
        size=(7.2, 1.2 + 0.7 * len(values)),
    )


def _table(title, one):
    has_seeds = any(
        row.get("seed_deviation") is not None for row in one["metrics"].values()
    )
    return blocks.Table(
        caption=f"{title}: {len(one['trials'])} trials.",
        columns=(
            "Score",
            "Mean",
            "Low",
            "High",
            "Standard deviation",
            "Lowest",
            "Highest",
            *["Deviation by seed"] * has_seeds,
        ),
        rows=tuple(
            (
                blocks.text(blocks.words(name)),
                blocks.score(row["mean"]),
                *[blocks.score(b) for b in row["interval"] or (None, None)],
                blocks.score(row["standard_deviation"]),
                blocks.score(row["lowest"]),
                blocks.score(row["highest"]),
                *[blocks.score(row.get("seed_deviation"))] * has_seeds,
            )
            for name, row in one["metrics"].items()
        ),
        note=f"Low and high: 95% interval of the mean, "
        f"{one['interval_method']}.",
    )


def _facts(one):
    names = ("folds", "repeats", "seeds", "num_examples")
    rows = [
        (blocks.words(name), blocks.count(one[name]))
        for name in names
        if one.get(name) is not None
    ]
    if one.get("group_column"):
        rows.append(("Kept together by", blocks.text(one["group_column"])))
    rows.append(("Time", blocks.seconds(one["seconds"])))
    rows.append(
        (
            "Of that, features computed once",
            blocks.seconds(one["prefix_seconds"]),
        )
    )
    return blocks.Facts(rows=tuple(rows))


def _each(title, one):
    counts = ("repeat", "fold", "seed")
    sizes = ("num_train", "num_validation", "num_test")
    trials = one["trials"]
    counts = [n for n in (*counts, *sizes) if trials[0].get(n) is not None]
    scores = [name for name in one["metrics"] if name in trials[0]]
    return blocks.Table(
        caption=f"{title}: every trial.",
        columns=tuple(blocks.words(name) for name in [*counts, *scores]),
        rows=tuple(
            (
                *[blocks.count(trial[name]) for name in counts],
                *[blocks.score(trial[name]) for name in scores],
            )
            for trial in trials
        ),
        folded=True,
    )
