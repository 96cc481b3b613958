"""How often confidence intervals hold the truth, in simulated tests.

Draws test parts from a classifier whose true metrics are known, finds the
intervals of each, and prints a Markdown table of how often they held the
truth. A 95% interval should 95 times in 100.

    python benchmarks/interval_coverage.py --tests=1000

With 1,000 tests, counts of 93.6 to 96.4 in 100 are within noise of 95. A
thousand tests of each size take some minutes on a core; no TensorFlow runs.
"""

import numpy as np
from absl import app
from absl import flags

from tl_keras.evaluation import calibration_error
from tl_keras.evaluation import intervals
from tl_keras.evaluation import resampling
from tl_keras.evaluation import sample as samples

_TESTS = flags.DEFINE_integer("tests", 1000, "Simulated tests of each row.")
_RESAMPLES = flags.DEFINE_integer("resamples", 1000, "Resamples of each test.")
_EXAMPLES = flags.DEFINE_multi_integer(
    "examples", [200, 1000], "Examples of a test; may be given repeatedly."
)
_CONFUSIONS = {
    "10 classes, accuracy 0.75": (10, 0.75),
    "3 classes, accuracy 0.9": (3, 0.9),
}
# The chance to be right, of a confidence.
_CALIBRATIONS = {
    "calibrated": lambda confidence: confidence,
    "0.02 too sure": lambda confidence: confidence - 0.02,
    "confidence ** 1.5 right": lambda confidence: confidence**1.5,
    "confidence ** 3 right": lambda confidence: confidence**3,
}


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    print(
        "| simulated | examples | metric | truth | held | below the low end "
        "| above the high end |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for count in _EXAMPLES.value:
        for name, (num_classes, accuracy) in _CONFUSIONS.items():
            _confusion(name, num_classes, accuracy, count)
        for name, chance in _CALIBRATIONS.items():
            _calibration(name, chance, count)


def _confusion(name, num_classes, accuracy, count):
    """Labels and predictions from a known joint distribution."""
    shares = np.linspace(2.0, 1.0, num_classes)
    shares /= shares.sum()
    wrong = (1 - accuracy) / (num_classes - 1)
    joint = np.full((num_classes, num_classes), wrong)
    np.fill_diagonal(joint, accuracy)
    joint *= shares[:, None]
    hits, labelled, predicted = np.diag(joint), joint.sum(1), joint.sum(0)
    precision, recall = hits / predicted, hits / labelled
    f1 = 2 * hits / (labelled + predicted)
    by_chance = (labelled * predicted).sum()
    truth = {
        "accuracy": hits.sum(),
        "macro_f1": f1.mean(),
        "macro_precision": precision.mean(),
        "balanced_accuracy": recall.mean(),
        "cohen_kappa": (hits.sum() - by_chance) / (1 - by_chance),
        "f1 of the rarest class": f1[-1],
    }
    rng = np.random.default_rng(0)
    found = {metric: [] for metric in truth}
    for _ in range(_TESTS.value):
        cells = rng.choice(joint.size, count, p=joint.ravel())
        labels, predictions = np.divmod(cells, num_classes)
        scores = np.full((count, num_classes), 0.1 / num_classes, "float32")
        scores[np.arange(count), predictions] += 0.9
        one, by_class = intervals.of(
            samples.Sample(scores, labels), _resamples(), areas=False
        )
        one["f1 of the rarest class"] = by_class[-1].get("f1", [0.0, 0.0])
        for metric, chunk in found.items():
            chunk.append(one[metric])
    for metric, value in truth.items():
        _print(name, count, metric, value, found[metric])


def _calibration(name, chance, count):
    """Confidences, and whether each was right."""
    truth = _error(name, chance)
    rng = np.random.default_rng(0)
    found, plain = [], []
    for _ in range(_TESTS.value):
        sample = _drawn(rng, chance, count)
        settings = _resamples()
        sums = np.concatenate(
            [sample.gap_sums(w) for w in settings.weights(count)]
        )
        found.append(intervals.of_calibration_error(sample, sums, settings))
        errors, _ = calibration_error.errors(sums)
        plain.append(settings.interval(errors).tolist())
    _print(name, count, "calibration error", truth, found)
    _print(name, count, "the same, plain bootstrap", truth, plain)


def _drawn(rng, chance, count):
    confidence = rng.beta(4, 1, count) / 2 + 0.5
    right = rng.random(count) < np.clip(chance(confidence), 0.0, 1.0)
    scores = np.stack([confidence, 1 - confidence], axis=1)
    return samples.Sample(scores.astype("float32"), 1 - right.astype(int))


def _error(name, chance) -> float:
    """The calibration error that a test of any size has in truth."""
    if name == "calibrated":
        return 0.0
    sample = _drawn(np.random.default_rng(1), chance, 4_000_000)
    gaps = sample.confidence - np.clip(chance(sample.confidence), 0.0, 1.0)
    bins = calibration_error.bin_of(sample.confidence)
    return float(np.abs(np.bincount(bins, gaps)).sum() / len(sample))


def _resamples():
    return resampling.Resamples(count=_RESAMPLES.value)


def _print(name, count, metric, truth, found):
    low, high = np.array(found).T
    below, above = np.mean(truth < low), np.mean(truth > high)
    print(
        f"| {name} | {count} | {metric} | {truth:.4f} "
        f"| {100 * (1 - below - above):.1f} | {100 * below:.1f} "
        f"| {100 * above:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    app.run(main)
