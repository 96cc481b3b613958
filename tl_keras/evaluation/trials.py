"""Scores of several trainings: how they scatter, and what that says."""

import dataclasses
import math

import numpy as np
from scipy import stats

# Each with its highest value; the lowest is 0.
METRICS = {
    "accuracy": 1.0,
    "balanced_accuracy": 1.0,
    "macro_f1": 1.0,
    "log_loss": math.inf,
    "brier_score": 2.0,
    "expected_calibration_error": 1.0,
}
LEVEL = 0.95
CORRECTED = (
    "corrected resampled t (Nadeau and Bengio, 2003): trainings that share "
    "examples are not independent"
)
OVER_SEEDS = (
    "t over seeds, on one test part: how far initial weights and order move "
    "the score, not how far another test part would"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trials:
    """Several trainings of one plan; `print` shows a table.

    Attributes:
        kind: What differs: "folds", "splits" or "seeds".
        folds: Number of folds; None for another kind.
        repeats: How many divisions into folds, or how many splits; None for
            seeds.
        seeds: How many trainings of each division.
        group_column: The column whose values stay together, or None.
        num_examples: Number of examples that were divided.
        interval_method: How the intervals are found.
        seconds: How long all took, the prefix pass included.
        prefix_seconds: How long that took: computing what is frozen in front,
            once for each example.
        metrics: Metric to a dict with `mean`, `standard_deviation` (over
            divisions, each the mean of its seeds; or over seeds), `interval`
            of the mean (within the metric's range; None for one trial),
            `lowest`, `highest` (over all
            trainings), and `seed_deviation` (the standard deviation over the
            seeds of one division; None with one seed).
        trials: A dict for each training: `repeat`, `fold`, `seed`,
            `num_train`, `num_validation`, `num_test`, `temperature`,
            `seconds`, and the metrics.
    """

    kind: str
    folds: int | None
    repeats: int | None
    seeds: int
    group_column: str | None
    num_examples: int
    interval_method: str
    seconds: float
    prefix_seconds: float
    metrics: dict[str, dict] = dataclasses.field(repr=False)
    trials: list[dict] = dataclasses.field(repr=False)

    def as_dict(self) -> dict:
        """The fields as plain numbers, lists and dicts, ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self):
        lines = [
            f"{len(self.trials)} trainings: {self._what()}, "
            f"{self.num_examples} examples, {self.seconds:.1f} s",
            "",
            f"{'':<28}    mean  deviation   95% interval of the mean",
        ]
        for name, found in self.metrics.items():
            shown = "none"
            if found["interval"] is not None:
                shown = "[{:.4f}, {:.4f}]".format(*found["interval"])
            lines.append(
                f"{name.replace('_', ' '):<28}{found['mean']:8.4f}   "
                f"{found['standard_deviation']:8.4f}   {shown}"
            )
        return "\n".join([*lines, "", f"Intervals: {self.interval_method}."])

    def _what(self) -> str:
        counts = {
            "folds": self.folds,
            "repeats" if self.kind == "folds" else "splits": self.repeats,
            "seeds": self.seeds,
        }
        return ", ".join(f"{n} {name}" for name, n in counts.items() if n)


def summary(kind: str, trials, **about) -> Trials:
    """Summarises trainings.

    Args:
        kind: "folds", "splits" or "seeds".
        trials: Dicts as in `Trials.trials`.
        **about: The other fields of `Trials`.

    Returns:
        A `Trials`.

    Reference:
        Nadeau and Bengio, "Inference for the Generalization Error", Machine
        Learning 52, 2003: the variance of the mean of J trainings is not
        s^2 / J but about (1 / J + n_test / n_train) s^2.
    """
    found = {}
    for name in METRICS:
        by_division = {}
        for trial in trials:
            key = (trial["repeat"], trial["fold"])
            by_division.setdefault(key, []).append(trial[name])
        found[name] = _summary(kind, by_division, trials)
        if found[name]["interval"] is not None:
            low, high = found[name]["interval"]
            found[name]["interval"] = [max(0.0, low), min(high, METRICS[name])]
    method = OVER_SEEDS if kind == "seeds" else CORRECTED
    return Trials(
        kind=kind,
        interval_method=method,
        metrics=found,
        trials=trials,
        **about,
    )


def _summary(kind, by_division, trials) -> dict:
    values = np.array(list(by_division.values()), float)
    of_seeds = None
    if values.shape[1] > 1:
        of_seeds = float(np.sqrt(values.var(axis=1, ddof=1).mean()))
    units = values[0] if kind == "seeds" else values.mean(axis=1)
    ratio = 0.0
    if kind != "seeds":
        ratio = np.mean(
            [
                trial["num_test"]
                / (trial["num_train"] + trial["num_validation"])
                for trial in trials
            ]
        )
    return {
        "mean": float(units.mean()),
        "standard_deviation": (
            float(units.std(ddof=1)) if len(units) > 1 else 0.0
        ),
        "interval": interval(units, ratio),
        "lowest": float(values.min()),
        "highest": float(values.max()),
        "seed_deviation": of_seeds,
    }


def interval(values, ratio: float, level: float = LEVEL) -> list[float] | None:
    """The interval of the mean of trainings, by Student's t.

    Args:
        values: Float array `[trainings]`.
        ratio: Examples tested for each one trained on, for the correction of
            Nadeau and Bengio; 0 for independent trainings.
        level: In (0, 1).

    Returns:
        `[low, high]`, or None for one training.

    Example:
        >>> low, high = interval([0.8, 0.9], 0.0)
        >>> round(high - low, 3)  # 2 * 12.706 * 0.0707 / sqrt(2)
        1.271
    """
    values = np.asarray(values, float)
    count = len(values)
    if count < 2:
        return None
    error = math.sqrt((1 / count + ratio) * values.var(ddof=1))
    half = stats.t.ppf(0.5 + level / 2, count - 1) * error
    return [float(values.mean() - half), float(values.mean() + half)]
