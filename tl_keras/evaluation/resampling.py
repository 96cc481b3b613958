"""Bootstrap resamples of a test part, as weights of its examples."""

import dataclasses

import numpy as np

from tl_keras import checks

_VALUES_AT_A_TIME = 2**24


@dataclasses.dataclass(frozen=True)
class Resamples:
    """Draws of as many examples as there are, with replacement.

    Equal settings give equal draws, so that two models on one test part can
    be compared in each of them.

    Attributes:
        count: Number of resamples; 0 for no intervals.
        seed: Of the draws.
        level: Share of the resamples within an interval, in (0, 1).

    Raises:
        ValueError: If a field is out of range.

    Example:
        >>> [weights] = Resamples(count=2).weights(5)
        >>> weights.shape, weights.sum(axis=1).tolist()
        ((2, 5), [5.0, 5.0])
    """

    count: int = 1000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self):
        checks.integer(self.count, name="resamples.count", low=0)
        checks.integer(self.seed, name="resamples.seed", low=0)
        checks.in_range(
            self.level,
            name="resamples.level",
            low=0.0,
            high=1.0,
            include_low=False,
            include_high=False,
        )

    def weights(self, num_examples: int):
        """How often each example was drawn, several resamples at a time.

        Args:
            num_examples: Number of examples, at least 1.

        Yields:
            float32 arrays `[resamples, num_examples]`.
        """
        rng = np.random.default_rng(self.seed)
        most = max(1, _VALUES_AT_A_TIME // num_examples)
        for start in range(0, self.count, most):
            rows = min(most, self.count - start)
            drawn = rng.integers(
                0, num_examples, (rows, num_examples), dtype=np.int64
            )
            drawn += num_examples * np.arange(rows)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=rows * num_examples)
            yield counts.reshape(rows, num_examples).astype(np.float32)

    def interval(self, values) -> np.ndarray:
        """The percentile interval of a metric's values in the resamples.

        Args:
            values: Float array `[resamples, ...]`; NaN are passed over.

        Returns:
            Float array `[..., 2]`: low and high.

        Reference:
            Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
            chapter 13.
        """
        outside = (1.0 - self.level) / 2
        found = np.nanquantile(values, [outside, 1.0 - outside], axis=0)
        return np.moveaxis(found, 0, -1)
