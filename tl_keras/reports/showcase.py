"""Which examples of a run are worth a look, and their pictures."""

import pathlib
import re

import numpy as np
import tensorflow as tf

from tl_keras.interpretation import gradcam
from tl_keras.interpretation import mistakes
from tl_keras.reports import heatmaps

FOLDER = "pictures"
_MAX_SAMPLES = 12
_MAX_LETTERS = 400
# Smaller images lose too much as JPEG.
_MIN_JPEG_SIZE_PX = 64
_JPEG_QUALITY = 88


def collect(
    data, probabilities, labels, *, model=None, count: int, workdir
) -> dict:
    """Examples with the highest losses, the surest errors, a few samples.

    Args:
        data: A `tl_keras.data.Data`.
        probabilities: Float `[num_examples, num_classes]` of the test part,
            in its order; None where there is none.
        labels: Int `[num_examples]` of it, or None.
        model: What predicted, to show by Grad-CAM what spoke for its
            predictions, where it has a layer for that; None shows none.
        count: How many of each kind, at least 1.
        workdir: Where the pictures are written, in the folder `pictures`,
            JPEG, or PNG below 64 pixels.

    Returns:
        A dict of `samples`, `top_losses` and `confident_errors`, each a list
        of dicts with `id`, `label`, and `picture` (its path in the workdir;
        images only) or `text`; the last two with `index`, `predicted`,
        `probability` (of the prediction) and `loss` (the natural logarithm of
        the label's probability, negative) too, and `overlay` (the path of a
        second picture) where `method` names how it was made.
    """
    shown = _Shown(data, pathlib.Path(workdir))
    found = {"samples": _samples(shown)}
    if probabilities is None:
        return found
    for name, indices in _chosen(probabilities, labels, count).items():
        found[name] = [
            {
                **shown.entry("test", index, f"{name}_{place}"),
                "index": int(index),
                **_prediction(
                    probabilities[index], labels[index], data.class_names
                ),
            }
            for place, index in enumerate(indices, start=1)
        ]
    predicted = [*found["top_losses"], *found["confident_errors"]]
    if predicted and model is not None and gradcam.can_explain(model):
        shown.add_overlays(predicted, model)
        found["method"] = "Grad-CAM"
    return found


def _chosen(probabilities, labels, count):
    """Indices by what is worth a look in them."""
    predicted = probabilities.argmax(axis=1)
    by_loss = np.argsort(-mistakes.losses(probabilities, labels), kind="stable")
    wrong = np.flatnonzero(predicted != labels)
    surest = wrong[np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")]
    # What is among the surest errors anyway need not be seen twice.
    top = by_loss[:count]
    return {
        "top_losses": top,
        "confident_errors": surest[~np.isin(surest, top)][:count],
    }


def _prediction(probabilities, label, class_names):
    predicted = int(np.argmax(probabilities))
    return {
        "predicted": class_names[predicted],
        "probability": float(probabilities[predicted]),
        "loss": float(
            mistakes.losses(probabilities[None], np.array([label]))[0]
        ),
    }


def _samples(shown):
    """The first training example of each of the first classes."""
    labels = shown.data.labels("train")
    firsts = [
        int(np.flatnonzero(labels == label)[0])
        for label in range(shown.data.num_classes)
        if (labels == label).any()
    ]
    return [
        shown.entry("train", index, f"sample_{place}")
        for place, index in enumerate(firsts[:_MAX_SAMPLES], start=1)
    ]


class _Shown:
    """Reads single examples, and writes their pictures."""

    def __init__(self, data, workdir):
        self.data = data
        self._workdir = workdir

    def entry(self, split, index, name) -> dict:
        """What is the same for every example that is shown."""
        examples = self.data.splits[split]
        entry = {
            "id": _id(examples.ids[index]),
            "label": self.data.class_names[examples.labels[index]],
        }
        kind = self.data.input_spec.kind
        if kind == "audio":
            return entry
        [one] = self._read(split, [index])
        if kind == "text":
            return {**entry, "text": one.decode()[:_MAX_LETTERS]}
        return {**entry, "picture": self._write(one, name)}

    def add_overlays(self, entries, model):
        """Writes what spoke for the predictions of test images, in place."""
        images = self._read("test", [entry["index"] for entry in entries])
        names = self.data.class_names
        maps = gradcam.grad_cam(
            model,
            images,
            classes=[names.index(entry["predicted"]) for entry in entries],
        )
        for entry, image, map_ in zip(entries, images, maps, strict=True):
            name = pathlib.PurePath(entry["picture"]).stem
            entry["overlay"] = self._write(
                heatmaps.overlay(image, map_), f"{name}_map"
            )

    def _read(self, split, indices):
        reader = self.data.splits[split].inputs
        return reader.read(tf.constant(indices, tf.int64)).numpy()

    def _write(self, image, name) -> str:
        image = np.clip(np.round(image), 0, 255).astype(np.uint8)
        channels = image.shape[-1]
        if channels < 4 and min(image.shape[:2]) >= _MIN_JPEG_SIZE_PX:
            path = f"{FOLDER}/{name}.jpg"
            content = tf.io.encode_jpeg(image, quality=_JPEG_QUALITY)
        else:
            path = f"{FOLDER}/{name}.png"
            content = tf.io.encode_png(image)
        (self._workdir / FOLDER).mkdir(parents=True, exist_ok=True)
        (self._workdir / path).write_bytes(content.numpy())
        return path


def _id(text) -> str:
    """A path's last two parts, which say folder and file; else all of it."""
    return "/".join(re.split(r"[/\\]", str(text))[-2:])
