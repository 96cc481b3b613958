"""The time of a training step beside plain Keras, all weights training.

Builds MobileNetV2 (alpha 0.35, random weights, 96 px, batch 128) twice
and trains each on the same batch, in turn: as `tl_keras.fit` does, and as
`keras.Model.fit` does. Prints the medians and their ratio.

    python benchmarks/step_time.py
"""

import statistics
import time

import keras
import numpy as np
from absl import app

import tl_keras
from tl_keras import graph
from tl_keras.training.training_model import TrainingModel

_ROUNDS = 15
_BATCH_SIZE = 128
_IMAGE_SIZE_PX = 96


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    rng = np.random.default_rng(0)
    shape = (_BATCH_SIZE, _IMAGE_SIZE_PX, _IMAGE_SIZE_PX, 3)
    batch = (
        rng.uniform(0, 255, shape).astype("float32"),
        rng.integers(0, 10, _BATCH_SIZE),
    )
    seconds = {"tl_keras": [], "keras": []}
    models = {"tl_keras": ours(), "keras": network()}
    for model in models.values():
        model.compile(
            keras.optimizers.Adam(),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        model.train_on_batch(*batch)
    for _ in range(_ROUNDS):
        for name, model in models.items():
            began = time.perf_counter()
            model.train_on_batch(*batch)
            seconds[name].append(time.perf_counter() - began)
    for name, times in seconds.items():
        print(
            f"{name}: {1000 * statistics.median(times):.0f} ms "
            f"[{1000 * min(times):.0f} ... {1000 * max(times):.0f}]"
        )
    ratios = [
        theirs / own for own, theirs in zip(*seconds.values(), strict=True)
    ]
    print(
        f"keras / tl_keras: {statistics.median(ratios):.2f} "
        f"[{min(ratios):.2f} ... {max(ratios):.2f}], {_ROUNDS} pairs"
    )


def network():
    """A model as `build` makes it."""
    encoder = tl_keras.encoders.load(
        "MobileNetV2", _IMAGE_SIZE_PX, None, alpha=0.35
    )
    return tl_keras.build(encoder, tl_keras.heads.Classifier(num_classes=10))


def ours():
    """What `fit` trains of it in a phase in which all groups train."""
    model = network()
    return TrainingModel(model, [op for op, _ in graph.operations(model)])


if __name__ == "__main__":
    app.run(main)
