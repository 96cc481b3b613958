"""Whether models differ by more than chance on one test part."""

import dataclasses
import itertools

import numpy as np
from scipy import stats

from tl_keras.evaluation import resampling
from tl_keras.evaluation import sample as samples

# What differences are told of.
METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "log_loss",
    "brier_score",
)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two models on the same examples.

    Attributes:
        first: Name of a model.
        second: Name of another one.
        only_first_right: How many examples the first alone has right.
        only_second_right: How many the second alone has right.
        p_value: Of McNemar's exact test that both are as often right.
        adjusted_p_value: The same, with all pairs that were compared taken
            into account (Holm).
        differ: Whether that is below one less the level of the intervals.
        differences: Metric to `{"difference", "interval"}`: the first's less
            the second's, and its paired bootstrap interval.
    """

    first: str
    second: str
    only_first_right: int
    only_second_right: int
    p_value: float
    adjusted_p_value: float
    differ: bool
    differences: dict[str, dict]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare` found out; `print` shows it as tables.

    Attributes:
        num_examples: Number of examples.
        level: Of the intervals.
        scores: Model name to its metrics, best accuracy first.
        pairs: A `Pair` for each two models.
    """

    num_examples: int
    level: float
    scores: dict[str, dict[str, float]]
    pairs: tuple[Pair, ...]

    def as_dict(self) -> dict:
        """The fields as plain numbers, lists and dicts, ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self):
        width = max(map(len, [*self.scores, "run"]))
        lines = [
            f"{self.num_examples} examples, the same for all",
            "",
            f"{'run':<{width}}  accuracy  macro F1  log loss",
        ]
        lines += [
            f"{name:<{width}}  {score['accuracy']:8.4f}  "
            f"{score['macro_f1']:8.4f}  {score['log_loss']:8.4f}"
            for name, score in self.scores.items()
        ]
        for pair in self.pairs:
            lines += ["", *self._lines(pair)]
        return "\n".join(lines)

    def _lines(self, pair):
        verdict = "differ" if pair.differ else "do not differ beyond noise"
        yield (
            f"{pair.first} and {pair.second} {verdict} (McNemar, Holm: "
            f"p = {pair.adjusted_p_value:.3g})"
        )
        yield (
            f"  right only in one: {pair.only_first_right} and "
            f"{pair.only_second_right}"
        )
        for name, found in pair.differences.items():
            low, high = found["interval"]
            yield (
                f"  {name.replace('_', ' '):<18}{found['difference']:+8.4f}  "
                f"[{low:+.4f}, {high:+.4f}]"
            )


def compare(predictions, *, resamples=None) -> Comparison:
    """Compares models by their predictions for the same examples.

    Two accuracies whose own intervals overlap may well differ: on the same
    examples, most of the noise is common to both. So the differences are
    resampled, and the examples that only one model has right are counted.

    Args:
        predictions: Model name to its
            `tl_keras.evaluation.prediction_files.Predictions`, at least two.
        resamples: A `Resamples`; None for its defaults.

    Returns:
        A `Comparison`.

    Raises:
        ValueError: If there are fewer than two, or their test examples,
            labels or class names differ.

    Reference:
        McNemar, "Note on the sampling error of the difference between
        correlated proportions or percentages", 1947; Holm, "A simple
        sequentially rejective multiple test procedure", 1979; Dietterich,
        "Approximate Statistical Tests for Comparing Supervised
        Classification Learning Algorithms", 1998.
    """
    if len(predictions) < 2:
        raise ValueError(
            f"There is nothing to compare. Got: {list(predictions)}. Expected "
            "at least two runs of different names."
        )
    resamples = resampling.Resamples() if resamples is None else resamples
    found = _aligned(predictions)
    once = {name: sample.metrics() for name, sample in found.items()}
    scores = {
        name: {metric: float(values[metric][0]) for metric in METRICS}
        for name, values in once.items()
    }
    names = sorted(found, key=lambda name: -scores[name]["accuracy"])
    drawn = _resampled(found, resamples)
    couples = list(itertools.combinations(names, 2))
    tests = [_mcnemar(found[a], found[b]) for a, b in couples]
    adjusted = holm([p_value for _, _, p_value in tests])
    pairs = []
    for (a, b), (alone, other, p_value), p in zip(
        couples, tests, adjusted, strict=True
    ):
        pairs.append(
            Pair(
                a,
                b,
                alone,
                other,
                p_value,
                p,
                p < 1.0 - resamples.level,
                {
                    metric: {
                        "difference": scores[a][metric] - scores[b][metric],
                        "interval": resamples.interval(
                            drawn[a][metric] - drawn[b][metric]
                        ).tolist(),
                    }
                    for metric in METRICS
                },
            )
        )
    return Comparison(
        len(found[names[0]]),
        resamples.level,
        {name: scores[name] for name in names},
        tuple(pairs),
    )


def holm(p_values) -> list[float]:
    """P-values of several tests, adjusted for their number (Holm, 1979).

    Args:
        p_values: Floats, one for each test.

    Returns:
        As many, in their order: the least level at which each is rejected,
        such that the chance of any wrong rejection is below it.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    rising = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(rising, 1.0)
    return adjusted.tolist()


def _aligned(predictions) -> dict:
    """A `Sample` for each model, the examples in the order of the first."""
    (first_name, first), *_ = predictions.items()
    found = {}
    for name, one in predictions.items():
        if one.class_names != first.class_names:
            raise ValueError(
                "The runs have different classes. Got: "
                f"{one.class_names[:5]} in {name!r} and "
                f"{first.class_names[:5]} in {first_name!r}. Expected runs on "
                "the same data."
            )
        order = _order(first, one)
        if order is None:
            raise ValueError(
                "The runs were tested on different examples. Got: "
                f"{len(one.labels)} in {name!r} and {len(first.labels)} in "
                f"{first_name!r}, whose contents or labels differ. Expected "
                "one test part; `tl-keras finetune` with the same --dataset "
                "gives it."
            )
        found[name] = samples.Sample(
            one.probabilities[order], one.labels[order]
        )
    return found


def _order(first, other):
    """Where each example of the first is in the other; None if they differ."""
    if np.array_equal(first.digests, other.digests) and np.array_equal(
        first.labels, other.labels
    ):
        return np.arange(len(first.labels))
    keys = [
        np.column_stack([one.digests.astype(np.int64), one.labels])
        for one in (first, other)
    ]
    orders = [np.lexsort(key.T) for key in keys]
    if not np.array_equal(keys[0][orders[0]], keys[1][orders[1]]):
        return None
    found = np.empty_like(orders[0])
    found[orders[0]] = orders[1]
    return found


def _resampled(found, resamples) -> dict:
    """Metrics of each model in the same resamples."""
    [count] = {len(sample) for sample in found.values()}
    drawn = {name: {metric: [] for metric in METRICS} for name in found}
    for weights in resamples.weights(count):
        for name, sample in found.items():
            values = sample.metrics(weights)
            for metric in METRICS:
                drawn[name][metric].append(values[metric])
    return {
        name: {metric: np.concatenate(v) for metric, v in values.items()}
        for name, values in drawn.items()
    }


def _mcnemar(first, second) -> tuple[int, int, float]:
    alone = int((first.correct & ~second.correct).sum())
    other = int((~first.correct & second.correct).sum())
    if not alone + other:
        return alone, other, 1.0
    p_value = stats.binomtest(alone, alone + other, 0.5).pvalue
    return alone, other, float(p_value)
