"""Markdown tables of the results."""

from comparison import results

# Shares of the validation accuracy that the guide's recipe ends with.
LEVELS = (0.95, 0.98, 1.0)


def markdown(rounds: dict) -> str:
    """Tables of all modes of which there are rounds.

    Args:
        rounds: As `Results.rounds`.
    """
    makers = {
        "times": times,
        "accuracy": accuracy,
        "memory": memory,
        "second_run": second_run,
        "repeats": repeats,
    }
    return "\n\n".join(
        f"### {mode}\n\n{make(rounds[mode])}"
        for mode, make in makers.items()
        if mode in rounds
    )


def times(works: dict) -> str:
    """Ratios of all works in one table, and then each work in its own."""
    parts = [
        _table(
            ["work", "guide / tl_keras", "keras_hub / tl_keras"]
            + ["tl_keras / limit"],
            [[key, *_time_ratios(rounds)] for key, rounds in works.items()],
        )
    ]
    for key, rounds in works.items():
        parts += [f"{key}:", contestants(rounds)]
    return "\n\n".join(parts)


def contestants(rounds) -> str:
    """The contestants of one work."""
    names = list(dict.fromkeys(name for one in rounds for name in one))
    return _table(
        [
            "contestant",
            "seconds",
            "epochs measured",
            "/ tl_keras",
            "anonymous MB, start",
            "peak",
            "file-backed MB, peak",
            "prefix pass, seconds",
            "waiting",
            "trained parameters",
            "loss, epoch 1",
        ],
        [_contestant(rounds, name) for name in names],
    )


def accuracy(works: dict) -> str:
    """How long it takes to a validation accuracy, and the whole curves."""
    parts = []
    for key, rounds in works.items():
        levels = [[f"{s:.0%}", *_level(rounds, s)] for s in LEVELS]
        parts += [
            f"{key}:",
            _table(
                ["level", "accuracy", "guide", "tl_keras", "guide / tl_keras"],
                levels,
            ),
            _table(
                ["epoch", "guide", "", "tl_keras", ""],
                [
                    [str(row + 1), *_curves(rounds, row)]
                    for row in _rows(rounds)
                ],
            ),
        ]
    return "\n\n".join(parts)


def memory(works: dict) -> str:
    """Peak memory by the number of examples."""
    rows = []
    for key, rounds in works.items():
        counts = sorted({int(count) for one in rounds for count in one})
        for count in map(str, counts):
            mine = [one[count] for one in rounds if count in one]
            rows.append(
                [
                    key,
                    f"{int(count):,}",
                    results.spread(map(_growth, mine), " MB", 0),
                    results.spread(map(_anonymous_peak, mine), " MB", 0),
                    results.spread(map(_file_peak, mine), " MB", 0),
                    _ratio(rounds, count, str(counts[0]), _anonymous_peak),
                    results.spread((r["seconds"] for r in mine), " s"),
                ]
            )
    return _table(
        [
            "work",
            "examples",
            "anonymous, growth",
            "anonymous, peak",
            "file-backed, peak",
            "peak / that of the fewest",
            "seconds",
        ],
        rows,
    )


def second_run(works: dict) -> str:
    """What a second run with another head waits for."""
    measured = {
        "prefix pass": lambda report: report["prefix"]["seconds"],
        "fit called to training begun": _seconds_in_fit,
    }
    return _table(
        ["work", "seconds of", "first run", "second run", "second / first"],
        [
            [
                key,
                name,
                results.spread((value(r["first"]) for r in rounds), " s", 2),
                results.spread((value(r["second"]) for r in rounds), " s", 2),
                _ratio(rounds, "second", "first", value, 3),
            ]
            for key, rounds in works.items()
            for name, value in measured.items()
        ],
    )


def repeats(works: dict) -> str:
    """What each further training of a model costs."""
    rows = []
    for key, rounds in works.items():
        for name in ("tl_keras", "keras"):
            mine = [one[name]["trainings"] for one in rounds if name in one]
            first = (t[0]["train_seconds"] for t in mine)
            later = (t["train_seconds"] for ts in mine for t in ts[1:])
            rows.append(
                [
                    key,
                    name,
                    results.spread(first, " s", 2),
                    results.spread(later, " s", 2),
                    results.spread(map(growth_mb, mine), " MB"),
                ]
            )
    return _table(
        [
            "work",
            "by",
            "first training",
            "each later one",
            "anonymous memory, growth a training",
        ],
        rows,
    )


def growth_mb(trainings) -> float:
    """Anonymous memory that a training adds, the first one left out."""
    resident = [training["anonymous_mb"] for training in trainings]
    return (resident[-1] - resident[0]) / max(1, len(resident) - 1)


def seconds_to(report, accuracy: float) -> float | None:
    """When an accuracy was reached at the end of an epoch, or None."""
    for epoch in report["epochs"]:
        if epoch["val_accuracy"] >= accuracy:
            return epoch["seconds"]
    return None


def total_seconds(report) -> float:
    return report["total_seconds"]


def _time_ratios(rounds) -> list[str]:
    return [
        _ratio(rounds, "guide", "tl_keras", total_seconds),
        _ratio(rounds, "keras_hub", "tl_keras", total_seconds),
        _ratio(rounds, "tl_keras", "limit", total_seconds),
    ]


def _contestant(rounds, name) -> list[str]:
    mine = [one[name] for one in rounds if name in one]
    waiting = [r["waiting"] for r in mine if "waiting" in r]
    measured = {f"{r['measured_epochs']} of {r['work_epochs']}" for r in mine}
    prefix = [r["prefix"]["seconds"] for r in mine if "prefix" in r]
    return [
        name,
        results.spread(map(total_seconds, mine)),
        ", ".join(sorted(measured)),
        _ratio(rounds, name, "tl_keras", total_seconds),
        results.spread(
            (r["memory_mb"]["start"]["RssAnon"] for r in mine), "", 0
        ),
        results.spread(map(_anonymous_peak, mine), "", 0),
        results.spread(map(_file_peak, mine), "", 0),
        results.spread(prefix),
        results.spread(waiting, "", 3),
        f"{mine[0]['trained_parameters']:,}",
        results.spread((r["epochs"][0]["loss"] for r in mine), "", 3),
    ]


def _level(rounds, share) -> list[str]:
    guide, own, ratios, levels = [], [], [], []
    for one in rounds:
        final = one["guide_twice"]["epochs"][-1]["val_accuracy"]
        levels.append(share * final)
        reached = [
            seconds_to(one[name], share * final)
            for name in ("guide_twice", "tl_keras_plan")
        ]
        for seconds, found in zip(reached, (guide, own), strict=True):
            if seconds is not None:
                found.append(seconds)
        if None not in reached:
            ratios.append(reached[0] / reached[1])
    return [
        results.spread(levels, "", 4),
        _reached(guide, rounds),
        _reached(own, rounds),
        results.spread(ratios, "", 2),
    ]


def _rows(rounds) -> range:
    return range(max(len(r["epochs"]) for one in rounds for r in one.values()))


def _curves(rounds, row) -> list[str]:
    """When an epoch ended, and with which accuracy, of both contestants."""
    cells = []
    for name in ("guide_twice", "tl_keras_plan"):
        ends = [
            one[name]["epochs"][row]
            for one in rounds
            if row < len(one[name]["epochs"])
        ]
        cells.append(results.spread((e["seconds"] for e in ends), " s"))
        cells.append(results.spread((e["val_accuracy"] for e in ends), "", 4))
    return cells


def _reached(seconds, rounds) -> str:
    text = results.spread(seconds, " s")
    if len(seconds) == len(rounds):
        return text
    return f"{text} (in {len(seconds)} of {len(rounds)} rounds)".strip()


def _ratio(rounds, one, other, value, digits=2) -> str:
    return results.spread(results.ratios(rounds, one, other, value), "", digits)


def _seconds_in_fit(report) -> float:
    return report["seconds_to_training"] - report["seconds_before_fit"]


def _anonymous_peak(report) -> float:
    return report["memory_mb"]["peak"]["RssAnon"]


def _file_peak(report) -> float:
    return report["memory_mb"]["peak"]["RssFile"]


def _growth(report) -> float:
    return _anonymous_peak(report) - report["memory_mb"]["start"]["RssAnon"]


def _table(header, rows) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
