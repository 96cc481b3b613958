"""The file of results: rounds by mode and by the name of the work."""

import json
import os
import pathlib
import platform
import statistics
from importlib import metadata

PACKAGES = ("tl_keras", "tensorflow", "keras", "keras-hub", "numpy")


class Results:
    """Rounds of reports in a JSON file, to which rounds are added.

    `rounds[mode][key]` is a list of rounds; a round is a dict from a name,
    e.g. of a contestant, to what it reported.

    Args:
        path: The file, which need not exist yet; None for none.
    """

    def __init__(self, path):
        self._path = None if path is None else pathlib.Path(path)
        self.rounds = {}
        if self._path is not None and self._path.is_file():
            self.rounds = json.loads(self._path.read_text())["rounds"]

    def add(self, mode: str, key: str, reports: dict):
        """Adds a round, and writes the file."""
        self.rounds.setdefault(mode, {}).setdefault(key, []).append(reports)
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = {"environment": environment(), "rounds": self.rounds}
        beside = self._path.with_name(f".{self._path.name}.part")
        beside.write_text(json.dumps(content, indent=1))
        os.replace(beside, self._path)


def environment() -> dict:
    """Versions, and the number of CPU cores."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "cpu_cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **versions,
    }


def spread(values, unit: str = "", digits: int = 1) -> str:
    """Median [lowest ... highest]; the number alone if there is one.

    Example:
        >>> spread([2.0, 1.0, 4.0], " s")
        '2.0 s [1.0 ... 4.0]'
    """
    values = list(values)
    if not values:
        return ""
    middle = f"{statistics.median(values):,.{digits}f}{unit}"
    if len(values) == 1:
        return middle
    low, high = min(values), max(values)
    return f"{middle} [{low:,.{digits}f} ... {high:,.{digits}f}]"


def ratios(rounds, one: str, other: str, value) -> list[float]:
    """Of the rounds with both: what `value` finds in one over the other."""
    return [
        value(reports[one]) / value(reports[other])
        for reports in rounds
        if one in reports and other in reports
    ]
