"""What tells a meaningless map from one that explains."""

import dataclasses

import numpy as np
from scipy import stats

from tl_keras.interpretation import class_scores
from tl_keras.interpretation import curves
from tl_keras.interpretation import images as images_
from tl_keras.interpretation import randomisation

_NUM_RANDOM = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checks:
    """How a map did, and how maps do that mean nothing.

    Each area is below a curve of `curves.deletion` (small is good) or
    `curves.insertion` (large is good).

    Attributes:
        fractions: Which share of the image is gone, or there, at each point.
        deletion: The class's probability at each point.
        insertion: Likewise.
        random_deletion: The same, on average, for the map moved and mirrored
            at random: as coarse as the map, and pointing anywhere. Of texts,
            for random orders.
        random_insertion: Likewise.
        deletion_area: Of the map.
        insertion_area: Of the map.
        random_deletion_area: Below that curve.
        random_insertion_area: Likewise.
        randomised_deletion_area: Of the map that the same method draws of the
            model with shuffled weights.
        randomised_insertion_area: Likewise.
        randomised_correlation: Spearman's rank correlation of that map with
            this one; near 1, the method draws the image and not what the
            model learned. None where a map is the same everywhere.
        passes: Whether insertion minus deletion is larger for the map than
            for the moved ones and for the map of shuffled weights.
    """

    fractions: list[float]
    deletion: list[float]
    insertion: list[float]
    random_deletion: list[float]
    random_insertion: list[float]
    deletion_area: float
    insertion_area: float
    random_deletion_area: float
    random_insertion_area: float
    randomised_deletion_area: float
    randomised_insertion_area: float
    randomised_correlation: float | None
    passes: bool

    def as_dict(self) -> dict:
        """The fields as plain numbers and lists, ready for JSON."""
        return dataclasses.asdict(self)


def check(model, images, maps, method, *, classes=None, seed: int = 0):
    """Checks maps of images, one by one.

    Args:
        model: A `keras.Model` from images to logits or probabilities, or the
            `ClassScores` of one.
        images: `[examples, height, width, channels]` as the model takes them.
        maps: What `method` gave for them, `[examples, height, width]`.
        method: From `(model, images, classes)` to maps. It is called again
            while the model's weights are shuffled.
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        seed: Of where maps are moved to, and of the shuffling.

    Returns:
        A list of `Checks`, one for each image.

    Raises:
        ValueError: If images, maps or classes do not fit.

    Example:
        >>> import tl_keras
        >>> from tl_keras.interpretation import gradcam
        >>> encoder = tl_keras.encoders.load("tiny")
        >>> head = tl_keras.heads.Classifier(num_classes=3)
        >>> model = tl_keras.build(encoder, head)
        >>> images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3))
        >>> def method(model, images, classes):
        ...     return gradcam.grad_cam(model, images, classes=classes)
        >>> [found] = check(
        ...     model, images, method(model, images, None), method)
        >>> 0 < found.deletion_area < 1
        True
    """
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    maps = np.asarray(maps)
    classes = scores.chosen(images, classes)
    with randomisation.shuffled_weights(scores.model, seed):
        randomised = method(scores, images, classes)

    def both(some_maps):
        return np.stack(
            [
                curves.deletion(scores, images, some_maps, classes=classes),
                curves.insertion(scores, images, some_maps, classes=classes),
            ]
        )

    rng = np.random.default_rng(seed)
    random = np.mean(
        [
            both(np.stack([_moved(one, rng) for one in maps]))
            for _ in range(_NUM_RANDOM)
        ],
        axis=0,
    )
    ours, shuffled = both(maps), both(np.nan_to_num(randomised))
    return [
        _checks(
            ours[:, index],
            random[:, index],
            shuffled[:, index],
            rank_correlation(maps[index], randomised[index]),
        )
        for index in range(len(images))
    ]


def check_text(parts, values, method, class_index, *, seed: int = 0):
    """Checks what a method says of the words of a text.

    As `check`, with words that are cut out or come back. Nothing but words is
    left out, so insertion begins without any.

    Args:
        parts: The text's `Words` or `Tokens`.
        values: What the method gave for each.
        method: From nothing to values, called while the weights of the model
            are shuffled.
        class_index: The class that was explained.
        seed: Of the random orders and of the shuffling.

    Returns:
        `Checks`.
    """
    with randomisation.shuffled_weights(parts.scores.model, seed):
        randomised = method()
    rng = np.random.default_rng(seed)
    values = np.asarray(values)

    def both(some_values):
        order = np.argsort(-np.asarray(some_values), kind="stable")
        return np.stack(
            [
                curves.of_parts(parts, order, class_index, inserts=inserts)
                for inserts in (False, True)
            ]
        )

    random = np.mean(
        [both(rng.random(len(values))) for _ in range(_NUM_RANDOM)], axis=0
    )
    return _checks(
        both(values),
        random,
        both(randomised),
        rank_correlation(values, randomised),
    )


def rank_correlation(one, other) -> float | None:
    """Spearman's rank correlation of two maps, or None if one is constant.

    Example:
        >>> round(rank_correlation([[1.0, 2.0]], [[5.0, 9.0]]), 6)
        1.0
    """
    one, other = np.asarray(one).reshape(-1), np.asarray(other).reshape(-1)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    correlation = float(stats.spearmanr(one, other).statistic)
    return correlation if np.isfinite(correlation) else None


def _moved(map_, rng) -> np.ndarray:
    """A map somewhere else: what leaves at one border comes in at the other."""
    height, width = map_.shape
    moved = np.roll(map_, (rng.integers(height), rng.integers(width)), (0, 1))
    return moved[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]


def _checks(ours, random, randomised, correlation) -> Checks:
    areas, random_areas = curves.area(ours), curves.area(random)
    randomised_areas = curves.area(randomised)
    margin, random_margin, randomised_margin = (
        float(insertion - deletion)
        for deletion, insertion in (areas, random_areas, randomised_areas)
    )
    return Checks(
        fractions=curves.fractions(len(ours[0]) - 1).tolist(),
        deletion=ours[0].tolist(),
        insertion=ours[1].tolist(),
        random_deletion=random[0].tolist(),
        random_insertion=random[1].tolist(),
        deletion_area=float(areas[0]),
        insertion_area=float(areas[1]),
        random_deletion_area=float(random_areas[0]),
        random_insertion_area=float(random_areas[1]),
        randomised_deletion_area=float(randomised_areas[0]),
        randomised_insertion_area=float(randomised_areas[1]),
        randomised_correlation=correlation,
        passes=margin > max(random_margin, randomised_margin),
    )
