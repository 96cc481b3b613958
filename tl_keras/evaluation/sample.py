"""Predictions on a test part, ready for the metrics of any resample of it."""

import functools

import numpy as np
from scipy import sparse
from scipy import stats

from tl_keras.evaluation import calibration_error
from tl_keras.evaluation import counts
from tl_keras.evaluation import curves

# Beyond these the intervals of the areas would take minutes, or gigabytes.
_MOST_RANKED_SCORES = 2**26
_MOST_PRECISION_CLASSES = curves.MOST_CLASSES

# Probabilities are clipped where scikit-learn clips float32 ones.
SMALLEST = float(np.finfo(np.float32).eps)


class Sample:
    """Predictions on labelled examples.

    Args:
        probabilities: float32 array `[examples, num_classes]`, rows that sum
            to 1.
        labels: int64 array `[examples]`.
    """

    def __init__(self, probabilities, labels):
        self.probabilities = np.asarray(probabilities)
        self.labels = np.asarray(labels)
        self.predicted = self.probabilities.argmax(axis=1)
        self.correct = self.predicted == self.labels
        rows = np.arange(len(self.labels))
        self.confidence = self.probabilities[rows, self.predicted]
        self._of_label = self.probabilities[rows, self.labels]

    def __len__(self):
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        return self.probabilities.shape[1]

    def take(self, indices) -> "Sample":
        """The predictions at these indices."""
        return Sample(self.probabilities[indices], self.labels[indices])

    def metrics(self, weights=None) -> dict[str, np.ndarray]:
        """All metrics of resamples, without the areas under curves.

        Args:
            weights: Float array `[resamples, examples]`: how often each
                example counts, in whose precision sums are taken. None: each
                once, in one resample.

        Returns:
            Name to array `[resamples]`, and for `precision`, `recall` and
            `f1` of the classes `[resamples, num_classes]`.
        """
        if weights is None:
            weights = np.ones((1, len(self)), np.float32)
        total = weights.sum(axis=1, dtype=np.float64)
        columns = self._mean_columns.astype(weights.dtype)
        means = (weights @ columns).astype(np.float64) / total[:, None]
        found = counts.scores(
            *(_product(one, weights) for one in self._indicators)
        )
        names = ["log_loss", "brier_score", "top_5_accuracy"]
        found |= dict(zip(names, means.T, strict=False))
        plain, debiased = calibration_error.errors(self.gap_sums(weights))
        found["expected_calibration_error"] = plain
        found["debiased_calibration_error"] = debiased
        return found

    def areas(self, weights) -> dict[str, np.ndarray]:
        """Mean areas under the curves of the classes, for resamples.

        The area under the ROC curve is taken to first order, from the mean
        ranks of examples among those of the other side (DeLong's structural
        components), which is exact where each example counts once.

        Args:
            weights: float32 array `[resamples, examples]`.

        Returns:
            `roc_auc` and `average_precision`, `[resamples]`; one that would
            take too long is missing.
        """
        found = {}
        if self.probabilities.size <= _MOST_RANKED_SCORES:
            found["roc_auc"] = self._roc_areas(weights)
        if self.num_classes <= _MOST_PRECISION_CLASSES:
            found["average_precision"] = self._average_precision(weights)
        return found

    def gap_sums(self, weights) -> np.ndarray:
        """What `calibration_error.errors` takes, for resamples."""
        return weights @ self._gaps

    @functools.cached_property
    def _gaps(self):
        return calibration_error.gap_sums(self.confidence, self.correct)

    @functools.cached_property
    def _mean_columns(self):
        """What some metrics are means of: `[examples, columns]`."""
        squares = (self.probabilities.astype(np.float64) ** 2).sum(axis=1)
        of_label = self._of_label.astype(np.float64)
        columns = [
            -np.log(np.clip(of_label, SMALLEST, 1.0 - SMALLEST)),
            squares - 2.0 * of_label + 1.0,
        ]
        if self.num_classes > 5:
            columns.append(self.in_top(5))
        return np.stack(columns, axis=1)

    def in_top(self, count: int) -> np.ndarray:
        """Whether the label is among the `count` highest, `[examples]`.

        Of equal probabilities those of higher classes count as higher, as in
        scikit-learn.
        """
        order = np.argsort(self.probabilities, axis=1, kind="stable")
        return (order[:, -count:] == self.labels[:, None]).any(axis=1)

    @functools.cached_property
    def _indicators(self):
        """Which class each example is a hit, a label, a prediction of."""
        rows = np.arange(len(self))
        shape = (len(self), self.num_classes)
        return [
            sparse.csr_array(
                (np.asarray(values, np.float32), (rows, classes)), shape
            )
            for values, classes in (
                (self.correct, self.labels),
                (np.ones(len(self)), self.labels),
                (np.ones(len(self)), self.predicted),
            )
        ]

    @functools.cached_property
    def _placements(self):
        """Of each score, the share of the other side that it is right about.

        NaN for a class that no example or every example has.
        """
        positive = self.labels[:, None] == np.arange(self.num_classes)
        count = len(self)
        placed = np.empty((count, self.num_classes), np.float32)
        for index in range(self.num_classes):
            mine = positive[:, index]
            if not mine.any() or mine.all():
                placed[:, index] = np.nan
                continue
            ranks = stats.rankdata(self.probabilities[:, index])
            for side in (mine, ~mine):
                within = stats.rankdata(self.probabilities[side, index])
                # Of the other side: how many are lower, half of the equal.
                placed[side, index] = (ranks[side] - within) / (~side).sum()
            placed[~mine, index] = 1.0 - placed[~mine, index]
        return positive, placed

    def _roc_areas(self, weights):
        positive, placed = self._placements
        defined = np.isfinite(placed[0])
        positive, placed = positive[:, defined], placed[:, defined]
        if not defined.any():
            return np.full(len(weights), np.nan)
        areas = np.array(
            [placed[p, i].mean() for i, p in enumerate(positive.T)]
        )
        by_side = []
        for side in (positive, ~positive):
            total = weights @ side.astype(np.float32)
            sums = weights @ np.where(side, placed, 0.0)
            with np.errstate(invalid="ignore", divide="ignore"):
                by_side.append(sums / total)
        with np.errstate(invalid="ignore"):
            each = by_side[0] + by_side[1] - areas
        return _nanmean(each)

    def _average_precision(self, weights):
        # Transposed in memory, too, for sums of rows.
        weights = np.ascontiguousarray(weights.T).T
        each = np.full((len(weights), self.num_classes), np.nan)
        for index in range(self.num_classes):
            positive = self.labels == index
            if positive.any() and not positive.all():
                each[:, index] = _average_precision(
                    positive, self.probabilities[:, index], weights
                )
        return _nanmean(each)


def _average_precision(positive, scores, weights):
    """Average precision of one class, for resamples.

    Recall rises at the scores of the class alone, so that the others are
    summed from each of these to the next.
    """
    # Falling; equal scores are taken together.
    steps = np.unique(scores[positive])[::-1]
    step_of = np.searchsorted(-steps, -scores)
    found = np.flatnonzero(step_of < len(steps))
    taken, hits = (
        np.cumsum(_sums(chosen, step_of[chosen], len(steps), weights), axis=0)
        for chosen in (found, np.flatnonzero(positive))
    )
    gained = np.diff(hits, axis=0, prepend=np.float32(0.0))
    precision = hits / np.maximum(taken, 1.0)
    total = hits[-1]
    sums = np.einsum("ij,ij->j", gained, precision)
    return np.where(total > 0, sums / np.maximum(total, 1.0), np.nan)


def _sums(examples, rows, num_rows, weights):
    """Sums of the weights of examples by row: `[rows, resamples]`."""
    chooser = sparse.csr_array(
        (np.ones(len(examples), np.float32), (rows, examples)),
        (num_rows, weights.shape[1]),
    )
    return chooser @ weights.T


def _product(indicator, weights):
    """`weights @ indicator` for a sparse matrix of examples by classes."""
    return (indicator.T @ weights.T).T


def _nanmean(values):
    """Means of rows, NaN only where a row has nothing else."""
    known = np.isfinite(values)
    number = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    return np.where(number > 0, sums / np.maximum(number, 1), np.nan)
