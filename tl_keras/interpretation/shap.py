"""SHAP, through its package: what parts contribute, shared out fairly."""

import contextlib

import numpy as np

from tl_keras import checks
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import images as images_


def shap(
    model,
    images,
    *,
    classes=None,
    cells: int = 7,
    num_samples: int = 500,
    fill=None,
    seed: int = 0,
):
    """What each square of images adds to the logit of a class, by SHAP.

    Shapley values of the squares, estimated from random coalitions of them
    (Kernel SHAP): they sum to the difference between the logit of the image
    and that of its fill colour. It needs inputs and outputs only.

    Args:
        model: A `keras.Model` from images to logits or probabilities, or the
            `ClassScores` of one.
        images: `[examples, height, width, channels]` as the model takes them,
            e.g. 0..255.
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        cells: Squares along each side.
        num_samples: Coalitions, and so passes, for each image.
        fill: What covers: a number, a value a channel, or None for the mean
            colour of each image.
        seed: Of the coalitions.

    Returns:
        float32 `[examples, height, width]`, of both signs; the number of a
        square at each of its pixels.

    Raises:
        ImportError: If the package `shap` is missing.
        ValueError: If images or classes do not fit.

    Reference:
        Lundberg and Lee, "A Unified Approach to Interpreting Model
        Predictions", NeurIPS 2017, https://arxiv.org/abs/1705.07874
    """
    _package()
    scores = class_scores.of(model)
    images = images_.checked(scores.model, images)
    checks.integer(cells, name="cells", low=1)
    checks.in_range(cells, name="cells", high=min(images.shape[1:3]))
    classes = scores.chosen(images, classes)
    colors = np.broadcast_to(images_.fill_color(images, fill), images.shape)
    rows = np.arange(images.shape[1]) * cells // images.shape[1]
    columns = np.arange(images.shape[2]) * cells // images.shape[2]
    squares = rows[:, None] * cells + columns[None]
    maps = np.zeros(images.shape[:3], np.float32)
    for index, image in enumerate(images):
        values = of_parts(
            images_.logits_with_parts(
                scores, image, colors[index], squares, classes[index]
            ),
            cells * cells,
            num_samples=num_samples,
            seed=seed,
        )
        maps[index] = values[squares]
    return maps


def of_parts(
    logits_of, num_parts: int, *, num_samples: int = 500, seed: int = 0
) -> np.ndarray:
    """What each of some parts adds to a number: Shapley values.

    Args:
        logits_of: From `[rows, num_parts]` of 0 and 1, which parts are there,
            to floats `[rows]`.
        num_parts: How many parts there are.
        num_samples: How many coalitions are tried; of few parts, all are.
        seed: Of the coalitions.

    Returns:
        float64 `[num_parts]`. They sum to the number with all parts less that
        with none.

    Raises:
        ImportError: If the package `shap` is missing.

    Example:
        >>> parts = of_parts(lambda keep: keep @ np.array([3.0, -1.0]), 2)
        >>> parts.round(6).tolist()
        [3.0, -1.0]
    """
    package = _package()
    checks.integer(num_samples, name="num_samples", low=2)
    explainer = package.KernelExplainer(logits_of, np.zeros((1, num_parts)))
    with _numpy_seeded(seed):
        values = explainer.shap_values(
            np.ones((1, num_parts)),
            nsamples=num_samples,
            # Otherwise all but ten of the parts would be set to zero.
            l1_reg=False,
            silent=True,
        )
    return np.asarray(values, float).reshape(num_parts)


@contextlib.contextmanager
def _numpy_seeded(seed):
    """NumPy's global generator, from which SHAP draws, seeded for a while."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


def _package():
    try:
        import shap
    except ImportError as error:
        raise ImportError(
            "SHAP needs the package `shap`. Install it with `pip install "
            '"tl_keras[explain]"`.'
        ) from error
    return shap
