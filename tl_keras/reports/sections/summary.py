"""What to know first: how good, how sure, at which cost."""

from tl_keras.reports import blocks


def of(findings) -> blocks.Section | None:
    """The section; there always is one."""
    tiles = [*_quality(findings), *_price(findings)]
    parts = [("paragraph", sentence) for sentence in _sentences(findings)]
    content = [blocks.Tiles(rows=tuple(tiles))]
    if parts:
        content.append(blocks.Prose(parts=tuple(parts)))
    return blocks.Section(
        name="summary", title="At a glance", blocks=tuple(content)
    )


def _quality(findings):
    test = findings.part("test")
    if not test:
        best = findings.part("best")
        if best:
            name = best["monitor"].removeprefix("val_").replace("_", " ")
            yield (
                f"Validation {name}",
                blocks.score(best["score"]),
                "there is no test part",
            )
        return
    bounds = test.get("intervals", {})
    for name, title in (
        ("accuracy", "Test accuracy"),
        ("macro_f1", "Macro F1"),
        ("expected_calibration_error", "Calibration error"),
    ):
        if test.get(name) is not None:
            interval = blocks.interval(bounds.get(name), ".3f")
            remark = interval and f"95% interval {interval}"
            yield title, blocks.decimal(test[name], 3), remark
    yield (
        "Test examples",
        blocks.count(test["num_examples"]),
        f"{len(test['per_class'])} classes",
    )


def _price(findings):
    seconds = findings.part("cost", "seconds", "total")
    if seconds is not None:
        devices = findings.part("cost", "devices") or []
        yield "Time", blocks.seconds(seconds), ", ".join(dict.fromkeys(devices))
    trained = findings.part("parameters", "trained")
    frozen = findings.part("parameters", "frozen")
    yield (
        "Parameters trained",
        blocks.count(trained),
        f"{frozen:,} stayed as they were",
    )


def _sentences(findings):
    test = findings.part("test")
    if not test:
        return
    rows = {
        name: row for name, row in test["per_class"].items() if row["support"]
    }
    if len(rows) > 1:
        worst = min(rows, key=lambda name: rows[name]["f1"])
        best = max(rows, key=lambda name: rows[name]["f1"])
        same = rows[best]["f1"] == rows[worst]["f1"]
        yield (
            f"All classes have an F1 of {rows[best]['f1']:.3f}."
            if same
            else f"Of the classes, “{best}” has the highest F1 "
            f"({rows[best]['f1']:.3f}), “{worst}” the lowest "
            f"({rows[worst]['f1']:.3f})."
        )
    pairs = confused(test)
    if pairs:
        label, predicted, count = pairs[0]
        yield (
            f"The error made most often: {count:,} examples of “{label}” are "
            f"taken for “{predicted}”."
        )


def confused(test) -> list[tuple[str, str, int]]:
    """Label, prediction and count of each kind of error, commonest first.

    Args:
        test: The entry `test` of `results.json`.

    Example:
        >>> confused(
        ...     {
        ...         "per_class": {"cat": {}, "dog": {}},
        ...         "confusion_matrix": [[5, 2], [0, 6]],
        ...     }
        ... )
        [('cat', 'dog', 2)]
    """
    names = list(test["per_class"])
    found = [
        (names[row], names[column], count)
        for row, counts in enumerate(test["confusion_matrix"])
        for column, count in enumerate(counts)
        if row != column and count
    ]
    return sorted(found, key=lambda pair: -pair[2])
