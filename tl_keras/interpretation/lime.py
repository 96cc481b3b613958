"""LIME, through its package: a linear model of what parts contribute."""

import numpy as np

from tl_keras import checks
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import images as images_

_WIDTH_OF_KERNEL = 0.25


def lime(
    model,
    images,
    *,
    classes=None,
    num_segments: int = 50,
    num_samples: int = 500,
    fill=None,
    seed: int = 0,
):
    """What each superpixel of images adds to the logit of a class, by LIME.

    Random superpixels are covered, and a linear model fitted to the logits.
    It needs inputs and outputs only.

    Args:
        model: A `keras.Model` from images to logits or probabilities, or the
            `ClassScores` of one.
        images: `[examples, height, width, channels]` as the model takes them,
            e.g. 0..255.
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        num_segments: About how many superpixels (SLIC).
        num_samples: Passes for each image.
        fill: What covers: a number, a value a channel, or None for the mean
            colour of each image.
        seed: Of what is covered.

    Returns:
        float32 `[examples, height, width]`, of both signs.

    Raises:
        ImportError: If the package `lime` is missing.
        ValueError: If images or classes do not fit.

    Reference:
        Ribeiro, Singh and Guestrin, "Why Should I Trust You?", KDD 2016,
        https://arxiv.org/abs/1602.04938
    """
    _package()
    from skimage import segmentation

    checks.integer(num_segments, name="num_segments", low=2)
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    classes = scores.chosen(images, classes)
    colors = np.broadcast_to(images_.fill_color(images, fill), images.shape)
    maps = np.zeros(images.shape[:3], np.float32)
    for index, image in enumerate(images):
        segments = segmentation.slic(
            image / 255, n_segments=num_segments, channel_axis=-1, start_label=0
        )

        weights = of_parts(
            images_.logits_with_parts(
                scores, image, colors[index], segments, classes[index]
            ),
            segments.max() + 1,
            num_samples=num_samples,
            seed=seed,
        )
        maps[index] = weights[segments]
    return maps


def of_parts(
    logits_of, num_parts: int, *, num_samples: int = 500, seed: int = 0
) -> np.ndarray:
    """What each of some parts adds to a number, by LIME.

    Args:
        logits_of: From bool `[rows, num_parts]`, which parts are there, to
            floats `[rows]`.
        num_parts: How many parts there are.
        num_samples: How many rows are asked for.
        seed: Of what is there.

    Returns:
        float64 `[num_parts]`.

    Raises:
        ImportError: If the package `lime` is missing.

    Example:
        >>> parts = of_parts(lambda keep: keep @ np.array([3.0, -1.0]), 2)
        >>> parts.round().tolist()
        [3.0, -1.0]
    """
    lime_base = _package()
    checks.integer(num_samples, name="num_samples", low=2)
    rng = np.random.RandomState(seed)
    keep = rng.randint(0, 2, (num_samples, num_parts)).astype(bool)
    keep[0] = True
    values = np.asarray(logits_of(keep))

    def kernel(distances):
        return np.sqrt(np.exp(-(distances**2) / _WIDTH_OF_KERNEL**2))

    # The cosine distance from a row to the one with all parts.
    distances = 1 - np.sqrt(keep.mean(axis=1))
    explainer = lime_base.LimeBase(kernel, random_state=rng)
    _, weights, _, _ = explainer.explain_instance_with_data(
        keep.astype(float),
        values[:, None],
        distances,
        0,
        num_parts,
        feature_selection="none",
    )
    found = np.zeros(num_parts)
    for part, weight in weights:
        found[part] = weight
    return found


def _package():
    try:
        from lime import lime_base
    except ImportError as error:
        raise ImportError(
            "LIME needs the package `lime`. Install it with `pip install "
            '"tl_keras[explain]"`.'
        ) from error
    return lime_base
