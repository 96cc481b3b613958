"""An explanation of what a model says of one input, with its checks."""

import dataclasses

import numpy as np

from tl_keras import checks as checks_
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import gradcam
from tl_keras.interpretation import images as images_
from tl_keras.interpretation import integrated_gradients
from tl_keras.interpretation import lime
from tl_keras.interpretation import maps as maps_
from tl_keras.interpretation import occlusion
from tl_keras.interpretation import sanity
from tl_keras.interpretation import shap
from tl_keras.interpretation import spatial
from tl_keras.interpretation import tokens

IMAGE_METHODS = {
    "grad_cam": gradcam.grad_cam,
    "integrated_gradients": integrated_gradients.integrated_gradients,
    "occlusion": occlusion.occlusion,
    "lime": lime.lime,
    "shap": shap.shap,
}
_RANDOM = ("lime", "shap")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Explanation:
    """Why a model gives one input one class, as one method sees it.

    Attributes:
        method: Its name.
        class_index: The class that is explained.
        probability: What the model gives it, in [0, 1].
        predicted: The class with the highest probability.
        map: float32 `[height, width]` of an image, higher where it speaks for
            the class; None of a text.
        tokens: `(word, number)` of a text, in order; None of an image.
        layer: The layer whose map Grad-CAM took; None for other methods.
        checks: `sanity.Checks`, or None if they were left out.
        completeness_gap: Of integrated gradients of an image: by which share
            they miss the sum that they should have.
    """

    method: str
    class_index: int
    probability: float
    predicted: int
    map: np.ndarray | None = dataclasses.field(default=None, repr=False)
    tokens: list[tuple[str, float]] | None = None
    layer: str | None = None
    checks: sanity.Checks | None = dataclasses.field(default=None, repr=False)
    completeness_gap: float | None = None


def explain(
    model,
    inputs,
    method: str | None = None,
    *,
    classes=None,
    check: bool = True,
    seed: int = 0,
    **options,
) -> list[Explanation]:
    """Explains a model's answers, and checks whether that means anything.

    A map that looks plausible may show edges, whatever the model learned.
    Each comes with its deletion and insertion curves, those of the same map
    moved at random, and of what the same method draws of the model with
    shuffled weights: see `sanity.Checks`, whose `passes` sums it up.

    Args:
        model: A `keras.Model` from images or texts to logits or
            probabilities, e.g. from `tl_keras.build`; or the `ClassScores` of
            one.
        inputs: Images `[examples, height, width, channels]` as the model
            takes them, e.g. 0..255; or texts.
        method: "grad_cam", "integrated_gradients", "occlusion", "lime" or
            "shap"; of texts, all but the first. None: "grad_cam" where the
            model has a layer for it, else "occlusion".
        classes: Class indices `[examples]`, one for all, or None for the
            predicted ones.
        check: Whether to check them: some 180 passes for each image.
        seed: Of what is drawn at random.
        **options: Of the method, e.g. `layer`, `steps`, `window`.

    Returns:
        An `Explanation` for each input.

    Raises:
        TypeError: If `model` is no `keras.Model`.
        ValueError: If something does not fit, or the method does not suit the
            model; the message names those that do.
        ImportError: If a package is missing.

    Example:
        >>> import tl_keras
        >>> encoder = tl_keras.encoders.load("tiny")
        >>> head = tl_keras.heads.Classifier(num_classes=3)
        >>> model = tl_keras.build(encoder, head)
        >>> images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3))
        >>> [found] = explain(model, images)
        >>> found.method, found.map.shape, len(found.checks.deletion)
        ('grad_cam', (32, 32), 15)
    """
    scores = class_scores.of(model)
    taken = scores.model.inputs[0]
    if taken.dtype == "string":
        return _of_texts(scores, inputs, method, classes, check, seed, options)
    if len(taken.shape) != 4:
        raise ValueError(
            "Explanations are of images and texts. Got a model that takes "
            f"{taken.dtype} of shape {tuple(taken.shape)}. Of other inputs, "
            "`nearest_neighbours` and `top_losses` tell something."
        )
    return _of_images(scores, inputs, method, classes, check, seed, options)


def default_method(model) -> str:
    """The method that `explain` takes if none is named.

    Args:
        model: As in `explain`.
    """
    own = class_scores.of(model).model
    return "grad_cam" if gradcam.can_explain(own) else "occlusion"


def _of_images(scores, images, method, classes, check, seed, options):
    method = method or default_method(scores)
    checks_.one_of(method, IMAGE_METHODS, name="method")
    images = images_.checked(scores.model, images)
    classes = scores.chosen(images, classes)
    if method in _RANDOM:
        options = {"seed": seed, **options}

    def maps_of(scores, images, classes):
        function = IMAGE_METHODS[method]
        return function(scores, images, classes=classes, **options)

    raw = maps_of(scores, images, classes)
    maps = maps_.over_channels(raw)
    gaps = [None] * len(images)
    if method == "integrated_gradients":
        baseline = options.get("baseline", 0.0)
        gaps = integrated_gradients.completeness_gap(
            scores, images, raw, classes=classes, baseline=baseline
        ).tolist()
    found = [None] * len(images)
    if check:
        found = sanity.check(
            scores,
            images,
            maps,
            lambda *arguments: maps_.over_channels(maps_of(*arguments)),
            classes=classes,
            seed=seed,
        )
    layer = None
    if method == "grad_cam":
        layer = spatial.find(scores.graph, options.get("layer")).name
    probabilities = scores.probabilities(images)
    return [
        Explanation(
            method=method,
            class_index=int(class_index),
            probability=float(probabilities[index, class_index]),
            predicted=int(probabilities[index].argmax()),
            map=maps[index],
            layer=layer,
            checks=found[index],
            completeness_gap=gaps[index],
        )
        for index, class_index in enumerate(classes)
    ]


def _of_texts(scores, texts, method, classes, check, seed, options):
    method = method or "occlusion"
    texts = tokens.checked(scores.model, texts)
    classes = scores.chosen(texts, classes)
    probabilities = scores.probabilities(texts)
    explained = []
    for index, text in enumerate(texts):
        class_index = int(classes[index])

        def attributions(text=text, class_index=class_index):
            [found] = tokens.token_attributions(
                scores,
                [text],
                classes=class_index,
                method=method,
                seed=seed,
                **options,
            )
            return found

        found = attributions()
        checked = None
        if check:
            checked = sanity.check_text(
                tokens.parts_of(scores, text, method),
                [value for _, value in found],
                lambda explain=attributions: [v for _, v in explain()],
                class_index,
                seed=seed,
            )
        explained.append(
            Explanation(
                method=method,
                class_index=class_index,
                probability=float(probabilities[index, class_index]),
                predicted=int(probabilities[index].argmax()),
                tokens=found,
                checks=checked,
            )
        )
    return explained
