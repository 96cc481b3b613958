"""A training of three phases as a program, to be killed and started again.

    python killed_for_tests.py WORKDIR WEIGHTS STEPS

It writes its weights at the end, and a line into STEPS at each step.
"""

import sys
import time

import keras
import numpy as np

import tl_keras
from tl_keras.tuning import Phase
from tl_keras.tuning import Plan

STEPS_PER_CHECKPOINT = 5


class Note(keras.callbacks.Callback):
    """Notes phase and step, and gives a kill the time to come."""

    def __init__(self, path):
        super().__init__()
        self._file = open(path, "a", buffering=1)
        self._phase = 0

    def get_state(self):
        return {"phase": self._phase}

    def set_state(self, state):
        self._phase = state["phase"]

    def on_train_begin(self, logs=None):
        self._phase += 1

    def on_train_batch_end(self, batch, logs=None):
        self._file.write(f"{self._phase} {self.model.train_function.done}\n")
        time.sleep(0.02)


def main(workdir, weights, steps):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (46, 16, 16, 3)).astype("uint8")
    labels = np.arange(46) % 2
    data = tl_keras.data.from_arrays(
        train=(images, labels),
        validation=(images[:9], labels[:9]),
        batch_size=8,
    )
    flips = tl_keras.data.Augmentation(flip=True)
    shared = {"epochs": 4, "augmentation": flips, "learning_rate": 1e-3}
    plan = Plan(
        "three phases",
        [
            Phase(name="head", train="head", epochs=4),
            Phase(
                name="top",
                train="last 1",
                cache_views=2,
                weights_average=0.9,
                **shared,
            ),
            Phase(
                name="all",
                patience=3,
                weights_average=0.9,
                micro_batches=2,
                **shared,
            ),
        ],
    )
    model = tl_keras.build(
        tl_keras.encoders.load("tiny", 16),
        tl_keras.heads.Classifier(num_classes=2, dropout=0.3),
    )
    tl_keras.fit(
        model,
        data,
        plan,
        workdir=workdir,
        callbacks=[Note(steps)],
        checkpoints=tl_keras.Checkpoints(
            seconds=None,
            steps=STEPS_PER_CHECKPOINT,
            # It may be killed before the weights are written.
            keep=True,
        ),
        verbose=0,
    )
    model.save_weights(weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
