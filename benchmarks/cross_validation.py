"""Cross-validation of a head beside one epoch through the encoder.

Trains the head of MobileNetV2 (alpha 0.35) on CIFAR-10 with 5 folds of 3 seeds
each: once for each example through the encoder, then 15 trainings on what it
gave. Beside it, one epoch of the same phase without the prefix cache. Prints
the seconds of each, and the memory after each third of the trainings.

    python benchmarks/cross_validation.py --data_dir=DIR --weights=FILE

`DIR` holds CIFAR-10 as TensorFlow Datasets prepares it; `FILE` is Keras'
ImageNet file of that model. It takes some minutes on two cores.
"""

import pathlib
import tempfile
import time

import keras
from absl import app
from absl import flags

import tl_keras
from tl_keras import evaluation
from tl_keras import tuning
from tl_keras.evaluation import repeats

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared CIFAR-10.")
_WEIGHTS = flags.DEFINE_string("weights", "imagenet", "Weights of the encoder.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 96, "Of the images, pixels.")
_EXAMPLES = flags.DEFINE_integer("examples", 10_000, "Images to divide.")
_EPOCHS = flags.DEFINE_integer("epochs", 5, "Of each training of the head.")
_FOLDS = flags.DEFINE_integer("folds", 5, "Number of folds.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Trainings of each fold.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    data = tl_keras.data.load(
        "cifar10",
        image_size=_IMAGE_SIZE.value,
        batch_size=128,
        validation_fraction=0.0,
        train_examples=_EXAMPLES.value,
        data_dir=_DATA_DIR.value,
    )
    encoder = tl_keras.encoders.load(
        "MobileNetV2", _IMAGE_SIZE.value, _WEIGHTS.value, alpha=0.35
    )
    head = tl_keras.heads.Classifier(num_classes=data.num_classes)
    uncached = _epoch(tl_keras.build(encoder, head), data)
    print(f"one epoch through the encoder: {uncached:.1f} s", flush=True)
    memory = [_megabytes()]
    with tempfile.TemporaryDirectory() as folder:
        found = evaluation.cross_validate(
            tl_keras.build(encoder, head),
            data,
            _plan(_EPOCHS.value),
            folds=_FOLDS.value,
            seeds=_SEEDS.value,
            settings=repeats.Settings(
                prefix_cache=tl_keras.PrefixCache(folder=folder),
                say=lambda line: (memory.append(_megabytes()), print(line)),
            ),
        )
    print(found)
    trainings = found.seconds - found.prefix_seconds
    print(
        f"\nprefix pass: {found.prefix_seconds:.1f} s, "
        f"{len(found.trials)} trainings: {trainings:.1f} s, that is "
        f"{trainings / uncached:.2f} of an epoch through the encoder"
    )
    print(
        "memory in MB: "
        + ", ".join(
            f"{memory[i]:.0f} after {i}"
            for i in range(0, len(memory), _SEEDS.value)
        )
    )


def _plan(epochs):
    return tuning.Plan(
        "linear_probe",
        [tuning.Phase(name="head", train="head", epochs=epochs)],
    )


def _epoch(model, data) -> float:
    """Seconds of an epoch without the cache; tracing is not counted."""
    ends = []

    class Ends(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            ends.append(time.perf_counter())

    tl_keras.fit(
        model,
        data,
        _plan(2),
        prefix_cache="never",
        callbacks=[Ends()],
        verbose=0,
    )
    return ends[1] - ends[0]


def _megabytes() -> float:
    """What the process holds in main memory (Linux)."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    app.run(main)
