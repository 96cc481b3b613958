"""Whether explanations of an ImageNet network find the object.

For photographs whose class is known, asks MobileNet (alpha 0.25, 224 px) with
ImageNet weights for its map of that class, and then the same network with
meaningless weights: shuffled within each weight, and drawn anew. What each map
marks is taken away from the photograph, or put back, and the trained network
asked for the class's probability:

    python benchmarks/explanations.py --images=DIR --out=DIR

`--images` holds files named `INDEX_WNID_NAME.jpg`; `--method` chooses another
method than Grad-CAM. Prints a Markdown table of the areas below the deletion
and insertion curves, with 95% intervals of the paired differences, and draws
`explanations.png`. `benchmarks/README.md` holds the table.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from matplotlib import figure as matplotlib_figure

from tl_keras.data import images as images_
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import curves
from tl_keras.interpretation import explanations
from tl_keras.interpretation import maps as maps_
from tl_keras.interpretation import randomisation
from tl_keras.reports import heatmaps

_IMAGES = flags.DEFINE_string("images", None, "Folder of photographs.")
_OUT = flags.DEFINE_string("out", ".", "Folder for the picture.")
_METHOD = flags.DEFINE_string("method", "grad_cam", "Which explanations.")
_MAX_IMAGES = flags.DEFINE_integer("max_images", None, "How many at most.")
_SIZE_PX = 224
_SEED = 0
_RESAMPLES = 10_000
_NUM_SHOWN = 6


def main(argv):
    if len(argv) > 1 or not _IMAGES.value:
        raise app.UsageError("Expected --images=DIR, and flags only.")
    paths = sorted(pathlib.Path(_IMAGES.value).glob("*.jpg"))
    if _MAX_IMAGES.value is not None:
        spread = np.linspace(0, len(paths) - 1, _MAX_IMAGES.value)
        paths = [paths[int(place)] for place in spread]
    images = np.stack([_read(path) for path in paths])
    classes = np.array([int(path.name.split("_")[0]) for path in paths])
    scores = class_scores.ClassScores(_network("imagenet"))
    predicted = scores.probabilities(images).argmax(axis=1)
    maps = {
        "trained": _maps(scores, images, classes),
        "weights drawn anew": _maps(
            class_scores.ClassScores(_network(None)), images, classes
        ),
        "random squares": np.random.default_rng(_SEED).random(images.shape[:3]),
    }
    # Each photograph with the map of another one.
    maps["another photograph"] = np.roll(maps["trained"], len(paths) // 2, 0)
    with randomisation.shuffled_weights(scores.model, _SEED):
        maps["weights shuffled"] = _maps(scores, images, classes)
    found = {
        name: (
            curves.deletion(scores, images, some, classes=classes),
            curves.insertion(scores, images, some, classes=classes),
        )
        for name, some in maps.items()
    }
    print(
        f"{len(images)} photographs, {np.mean(predicted == classes):.3f} of "
        f"them classified right, {_METHOD.value}\n"
    )
    print(_table(found))
    _draw(images, paths, maps, found)


def _network(weights):
    """MobileNet on raw pixels, nested in a model with its preprocessing."""
    keras.utils.set_random_seed(_SEED)
    inner = keras.applications.MobileNet(alpha=0.25, weights=weights)
    pixels = keras.Input((_SIZE_PX, _SIZE_PX, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    return keras.Model(pixels, inner(scaled))


def _read(path):
    image = images_.decode(tf.io.read_file(str(path)))
    return images_.resize(image, _SIZE_PX, keep_aspect_ratio=True).numpy()


def _maps(scores, images, classes):
    method = explanations.IMAGE_METHODS[_METHOD.value]
    return maps_.over_channels(method(scores, images, classes=classes))


def _table(found) -> str:
    lines = [
        "| map of | deletion | trained less this | insertion | trained less "
        "this |",
        "| --- | --- | --- | --- | --- |",
    ]
    best = [curves.area(curve) for curve in found["trained"]]
    for name, pair in found.items():
        cells = [name]
        for curve, ours in zip(pair, best, strict=True):
            area = curves.area(curve)
            cells += [f"{area.mean():.3f}", _difference(ours - area)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(differences) -> str:
    """The mean difference over photographs, with its 95% interval."""
    if not differences.any():
        return ""
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, len(differences), (_RESAMPLES, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    return f"{differences.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def _draw(images, paths, maps, found):
    """The mean curves, and the maps of some photographs."""
    figure = matplotlib_figure.Figure(
        figsize=(2.1 * _NUM_SHOWN, 11), dpi=80, layout="constrained"
    )
    above, below = figure.subfigures(2, 1, height_ratios=(1, 2.6))
    for panel, which, title in zip(
        above.subplots(1, 2), (0, 1), ("deletion", "insertion"), strict=True
    ):
        for name, pair in found.items():
            panel.plot(curves.fractions(), pair[which].mean(axis=0), label=name)
        panel.set_title(f"{title}, mean of {len(images)} photographs")
        panel.set_xlabel("share taken away" if which == 0 else "share put back")
        panel.set_ylabel("probability of the class")
        panel.legend(frameon=False, fontsize=8)
    shown = np.linspace(0, len(images) - 1, _NUM_SHOWN + 2).astype(int)[1:-1]
    names = [None, "trained", "weights shuffled", "weights drawn anew"]
    panels = below.subplots(len(names), _NUM_SHOWN)
    for row, name in zip(panels, names, strict=True):
        for panel, index in zip(row, shown, strict=True):
            image = images[index]
            if name is not None:
                image = heatmaps.overlay(image, maps[name][index])
            panel.imshow(image)
            label = paths[index].stem.split("_", 2)[2].replace("_", " ")
            panel.set_title(name or label, fontsize=8)
            panel.set_axis_off()
    path = pathlib.Path(_OUT.value) / "explanations.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print(f"\n{path}")


if __name__ == "__main__":
    app.run(main)
