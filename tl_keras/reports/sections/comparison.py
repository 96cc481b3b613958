"""This run beside others, on the same test examples."""

from tl_keras.reports import blocks
from tl_keras.reports import drawings
from tl_keras.reports import figures


def of(findings) -> blocks.Section | None:
    """The section, or None where the run was not compared."""
    found = findings.part("comparison")
    if not found:
        return None
    return blocks.Section(
        name="comparison",
        title="Beside other runs",
        intro=f"On the same {found['num_examples']:,} test examples. Two runs "
        "differ where McNemar’s exact test, adjusted for all pairs (Holm), "
        "says so.",
        blocks=(_scores(found), _drawing(found["pairs"]), _pairs(found)),
    )


def _scores(found):
    names = list(next(iter(found["scores"].values())))
    return blocks.Table(
        caption="Scores, the most accurate run first.",
        columns=("Run", *[blocks.words(name) for name in names]),
        rows=tuple(
            (
                blocks.text(run),
                *[blocks.score(scores[name]) for name in names],
            )
            for run, scores in found["scores"].items()
        ),
    )


def _drawing(pairs):
    rows = [
        (
            f"{pair['first']} less {pair['second']}",
            pair["differences"]["accuracy"]["difference"],
            pair["differences"]["accuracy"]["interval"],
        )
        for pair in pairs
    ]
    said = "; ".join(
        f"{name}: {value:+.4f}, interval {blocks.interval(bounds, '+.4f')}"
        for name, value, bounds in rows
    )
    return figures.drawing(
        lambda figure: drawings.intervals(
            figure, rows, "difference in accuracy"
        ),
        caption="Differences in accuracy with their paired intervals; where "
        "zero is within, they may be noise.",
        alt=f"Differences in accuracy. {said}.",
        size=(6.4, 1.1 + 0.4 * len(rows)),
    )


def _pairs(found):
    return blocks.Table(
        caption="Each two runs.",
        columns=(
            "First",
            "Second",
            "Difference in accuracy",
            "Low",
            "High",
            "Right only in the first",
            "Right only in the second",
            "p, adjusted",
            "Differ",
        ),
        rows=tuple(
            (
                blocks.text(pair["first"]),
                blocks.text(pair["second"]),
                blocks.score(pair["differences"]["accuracy"]["difference"]),
                *map(blocks.score, pair["differences"]["accuracy"]["interval"]),
                blocks.count(pair["only_first_right"]),
                blocks.count(pair["only_second_right"]),
                blocks.small(pair["adjusted_p_value"]),
                blocks.any_value(pair["differ"]),
            )
            for pair in found["pairs"]
        ),
        note=f"Low and high: {found['level']:.0%} interval of the difference.",
    )
