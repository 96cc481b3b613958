"""What checkpoints cost: the share of training time, all weights training.

Trains MobileNetV2 (alpha 0.35, random weights, 96 px, batch 32) on random
images, in turn without checkpoints and with one every 100 steps, each with
the same steps. Prints the medians of a step, their ratio, and what one
checkpoint takes on disk and of the training's time.

    python benchmarks/checkpoints.py
"""

import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
from absl import app

import tl_keras
from tl_keras.tuning import Phase

_ROUNDS = 5
_STEPS_PER_CHECKPOINT = 100
# The checkpoints at 100, 200 and 300 steps fall into what is measured.
_FIRST_STEP, _LAST_STEP = 50, 350
_BATCH_SIZE = 32
_IMAGE_SIZE_PX = 96


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    data, model = images(), network()
    train(data, model, None)  # Traces.
    settings = {
        "without": tl_keras.Checkpoints(write=False),
        "with": tl_keras.Checkpoints(seconds=None, steps=_STEPS_PER_CHECKPOINT),
    }
    seconds = {name: [] for name in settings}
    sizes = []
    for _ in range(_ROUNDS):
        for name, checkpoints in settings.items():
            watch = train(data, model, checkpoints)
            seconds[name].append(watch.seconds / (_LAST_STEP - _FIRST_STEP))
            sizes += watch.sizes
    for name, times in seconds.items():
        print(
            f"{name} checkpoints: {1000 * statistics.median(times):.1f} ms a "
            f"step [{1000 * min(times):.1f} ... {1000 * max(times):.1f}]"
        )
    shares = [
        own / plain - 1.0 for plain, own in zip(*seconds.values(), strict=True)
    ]
    print(
        f"a checkpoint every {_STEPS_PER_CHECKPOINT} steps: "
        f"{100 * statistics.median(shares):.2f} % of the time "
        f"[{100 * min(shares):.2f} ... {100 * max(shares):.2f}], {_ROUNDS} "
        f"pairs of {_LAST_STEP - _FIRST_STEP} steps; "
        f"{max(sizes) / 2**20:.1f} MB on disk"
    )


class Watch(keras.callbacks.Callback):
    """Measures the steps from `_FIRST_STEP` to `_LAST_STEP`.

    Attributes:
        seconds: How long these took.
        sizes: Bytes of each checkpoint that was there at the end.
    """

    def __init__(self, workdir):
        super().__init__()
        self._folder = pathlib.Path(workdir, "checkpoints")
        self.seconds = 0.0
        self.sizes = []

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if batch + 1 == _FIRST_STEP:
            self._began = now
        elif batch + 1 == _LAST_STEP:
            self.seconds = now - self._began

    def on_epoch_end(self, epoch, logs=None):
        self.sizes = [
            file.stat().st_size for file in self._folder.glob("*.checkpoint")
        ]


def train(data, model, checkpoints) -> Watch:
    """Trains one epoch of `_LAST_STEP` steps."""
    with tempfile.TemporaryDirectory() as workdir:
        watch = Watch(workdir)
        tl_keras.fit(
            model,
            data,
            Phase(name="all", epochs=1),
            workdir=workdir,
            callbacks=[watch],
            step_trial=False,
            checkpoints=checkpoints,
            verbose=0,
        )
    return watch


def images():
    """Random images for `_LAST_STEP` steps, without a validation part."""
    rng = np.random.default_rng(0)
    shape = (_LAST_STEP * _BATCH_SIZE, _IMAGE_SIZE_PX, _IMAGE_SIZE_PX, 3)
    return tl_keras.data.from_arrays(
        train=(
            rng.integers(0, 256, shape, "uint8"),
            np.arange(shape[0]) % 10,
        ),
        validation=False,
        batch_size=_BATCH_SIZE,
    )


def network():
    """A model as `build` makes it."""
    encoder = tl_keras.encoders.load(
        "MobileNetV2", _IMAGE_SIZE_PX, None, alpha=0.35
    )
    return tl_keras.build(encoder, tl_keras.heads.Classifier(num_classes=10))


if __name__ == "__main__":
    app.run(main)
