"""Which rows of a training's history belong to which phase."""

import itertools


def of(history) -> list[tuple[str, int, int]]:
    """Name, first row, and row after the last of each phase.

    Args:
        history: Rows as in `FitResult.history`.

    Example:
        >>> of([{"phase": "head", "epoch": 1}, {"phase": "top", "epoch": 1}])
        [('head', 0, 1), ('top', 1, 2)]
    """
    starts = [0]
    for index, (before, row) in enumerate(itertools.pairwise(history), start=1):
        # Two phases in a row may share a name; epochs begin anew.
        if row["phase"] != before["phase"] or row["epoch"] <= before["epoch"]:
            starts.append(index)
    return [
        (str(history[start]["phase"]), start, end)
        for start, end in itertools.pairwise([*starts, len(history)])
    ]
