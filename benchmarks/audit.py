"""What the audit of data finds: of what was planted, and in CIFAR-10 itself.

Plants into CIFAR-10 images copies that are flipped, recompressed as JPEG of
quality 50, or cropped by 2 px on each side and resized; flips 5% of the labels
of others; and prints how much of it `tl_keras.audit` finds, as Markdown:

    python benchmarks/audit.py --data_dir=DIR --weights=FILE --out=FOLDER

`DIR` holds CIFAR-10 as TensorFlow Datasets prepares it; `FILE` is Keras'
ImageNet file of MobileNetV2 (alpha 0.35). Then all 60,000 images are audited,
as they are; `FOLDER` has the page with pictures.

Found on two cores, beside other work: see benchmarks/README.md.
"""

import io
import resource
import time

import numpy as np
from absl import app
from absl import flags
from PIL import Image
from sklearn import metrics

import tl_keras

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared CIFAR-10.")
_WEIGHTS = flags.DEFINE_string("weights", "imagenet", "Weights of the encoder.")
_EXAMPLES = flags.DEFINE_integer("examples", 10_000, "In what is planted into.")
_COPIES = flags.DEFINE_integer("copies", 300, "Planted of each kind.")
_SHARE = flags.DEFINE_float("share", 0.05, "Of the labels that are flipped.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of all that is chosen.")
_OUT = flags.DEFINE_string("out", None, "Folder for the audit of CIFAR-10.")

BORDER_PX = 2
JPEG_QUALITY = 50


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    rng = np.random.default_rng(_SEED.value)
    images, labels = some_examples(rng)
    encoder = tl_keras.encoders.load(
        "MobileNetV2", 96, _WEIGHTS.value, alpha=0.35
    )
    print_duplicates(images, labels, encoder, rng)
    print_doubtful_labels(images, labels, encoder, rng)
    if _OUT.value:
        print_cifar10(encoder)


def some_examples(rng):
    """Images and labels of CIFAR-10, chosen from both parts."""
    data = tl_keras.data.load(
        "cifar10",
        batch_size=1000,
        validation_fraction=0,
        data_dir=_DATA_DIR.value,
    )
    batches = [
        batch
        for split in ("train", "test")
        for batch in data.evaluation_batches(split).as_numpy_iterator()
    ]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    chosen = rng.choice(len(images), _EXAMPLES.value, replace=False)
    return images[chosen], labels[chosen]


def print_duplicates(images, labels, encoder, rng):
    """Finds planted copies among images that have none of their own."""
    own = audit(images, labels, encoder).duplicates
    repeated = [i for group in own for i in group.indices[1:]]
    images, labels = (np.delete(a, repeated, 0) for a in (images, labels))
    sources = rng.choice(
        len(images), (len(COPIES), _COPIES.value), replace=False
    )
    copies = [
        copy(images[source])
        for copy, some in zip(COPIES.values(), sources, strict=True)
        for source in some
    ]
    began = time.perf_counter()
    found = audit(
        np.concatenate([images, np.stack(copies)]),
        np.concatenate([labels, labels[sources.reshape(-1)]]),
        encoder,
    ).duplicates
    seconds = time.perf_counter() - began
    pairs = {pair for group in found for pair in pairs_within(group.indices)}
    planted = {
        (int(source), len(images) + place)
        for place, source in enumerate(sources.reshape(-1))
    }
    print_row("copies", "recall")
    print_row("---", "---")
    for number, kind in enumerate(COPIES):
        first = len(images) + number * _COPIES.value
        these = range(first, first + _COPIES.value)
        mine = {pair for pair in planted if pair[1] in these}
        print_row(kind, f"{len(mine & pairs) / len(mine):.4f}")
    print_row("all", f"{len(planted & pairs) / len(planted):.4f}")
    print(
        f"\nPrecision {len(planted & pairs) / len(pairs):.4f}: {len(pairs)} "
        f"pairs found, {len(planted)} planted, among {len(images):,} images "
        f"(of {len(repeated)} copies that were there, {len(own)} groups, all "
        f"but the first taken out before). {seconds:.0f} s.\n"
    )


def print_doubtful_labels(images, labels, encoder, rng):
    """Finds flipped labels; what was wrong before counts as right."""
    wrong = rng.random(len(labels)) < _SHARE.value
    flipped = (labels + rng.integers(1, 10, len(labels))) % 10
    given = np.where(wrong, flipped, labels)
    found = audit(images, given, encoder)
    quality = np.empty(len(labels))
    for doubt in found.doubtful_labels:
        quality[doubt.index] = doubt.quality
    precision = metrics.average_precision_score(wrong, -quality)
    errors = [doubt.index for doubt in found.likely_errors]
    print(
        f"Labels flipped: {wrong.sum()} of {len(labels):,}. Average precision "
        f"{precision:.4f}. {len(errors)} likely errors, of which "
        f"{wrong[errors].mean():.3f} were flipped.\n"
    )


def print_cifar10(encoder):
    """Audits all of CIFAR-10."""
    began = time.perf_counter()
    found = tl_keras.audit(
        "cifar10", encoder, out=_OUT.value, data_dir=_DATA_DIR.value
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"\nCIFAR-10: {time.perf_counter() - began:.0f} s, at most {peak:.1f} "
        f"GB of memory.\n\n{found}"
    )


def audit(images, labels, encoder):
    """An audit of arrays, of which nothing is split off."""
    data = tl_keras.data.from_arrays(
        (images, labels), validation=False, image_size=96
    )
    return tl_keras.audit(data, encoder, seed=_SEED.value, verbose=0)


def flipped(image):
    return image[:, ::-1]


def recompressed(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file))


def cropped(image):
    inner = Image.fromarray(image[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX])
    return np.asarray(inner.resize(image.shape[1::-1], Image.BILINEAR))


COPIES = {
    "flipped": flipped,
    f"JPEG of quality {JPEG_QUALITY}": recompressed,
    f"cropped by {BORDER_PX} px": cropped,
}


def pairs_within(indices):
    """All pairs of a group, the lower index first."""
    return [(a, b) for a in indices for b in indices if a < b]


def print_row(*cells):
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    app.run(main)
