"""Trials behind the defaults of the named plans, on CIFAR-10.

Trains MobileNetV2 (alpha 0.35, 96 px) on 10,000 CIFAR-10 images by one
variant of a plan after the other, and prints a Markdown table of the test
accuracy on all 10,000 test images and of the time:

    python benchmarks/plan_trials.py --data_dir=DIR --weights=FILE

`DIR` holds CIFAR-10 as TensorFlow Datasets prepares it; `FILE` is Keras'
ImageNet file of that model. A trial takes two to five minutes on two cores;
`--only=PATTERN` chooses some by a regular
expression. `benchmarks/README.md` holds the table.
"""

import re
import time

from absl import app
from absl import flags

import tl_keras
from tl_keras import plans

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared CIFAR-10.")
_WEIGHTS = flags.DEFINE_string("weights", "imagenet", "Weights of the encoder.")
_ONLY = flags.DEFINE_string("only", "", "Pattern of the trials' names.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of each trial.")
_TRAIN_EXAMPLES = 10_000

_FLIP = tl_keras.data.Augmentation(flip=True)

TRIALS = {
    "linear_probe 4": lambda: plans.linear_probe(4),
    "full 4": lambda: plans.full(4),
    "full 4, rate 2e-3": lambda: plans.full(4, 2e-3),
    "full 4, rate 3e-3": lambda: plans.full(4, 3e-3),
    "full 4, batch_norm inference": lambda: plans.full(
        4, batch_norm="inference"
    ),
    "full 4, rate 2e-3, batch_norm inference": lambda: plans.full(
        4, 2e-3, batch_norm="inference"
    ),
    "full 4, depth_decay 0.9": lambda: plans.full(4, depth_decay=0.9),
    "full 4, no warm-up": lambda: plans.full(4, warmup_epochs=0.0),
    "full 4, label_smoothing 0.1": lambda: plans.full(4, label_smoothing=0.1),
    "full 4, flip": lambda: plans.full(4, augmentation=_FLIP),
    "full 4, sgd, rate 0.05": lambda: plans.full(4, 0.05, optimizer="sgd"),
    "head_then_top 2 + 4": lambda: plans.head_then_top(2, 4),
    "head_then_top 2 + 4, rate 2e-3": lambda: plans.head_then_top(
        2, 4, top_learning_rate=2e-3
    ),
    "gradual 2 + 3 x 2": lambda: plans.gradual(2, 2, 3),
    "probe_then_full 2 + 4": lambda: plans.probe_then_full(2, 4),
    "probe_then_full 2 + 4, batch_norm inference": lambda: (
        plans.probe_then_full(2, 4, batch_norm="inference")
    ),
    "lora 2 + 4": lambda: plans.lora(2, 4),
    "lora 2 + 4, rank 4": lambda: plans.lora(2, 4, lora_rank=4),
    "lora 2 + 4, rank 16": lambda: plans.lora(2, 4, lora_rank=16),
    "lora 2 + 4, rate 1e-3": lambda: plans.lora(2, 4, lora_learning_rate=1e-3),
    "lora 2 + 4, rate 5e-3": lambda: plans.lora(2, 4, lora_learning_rate=5e-3),
}


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    chosen = [name for name in TRIALS if re.search(_ONLY.value, name)]
    if not chosen:
        raise app.UsageError(
            f"No trial matches {_ONLY.value!r}. There are: {list(TRIALS)}."
        )
    data = tl_keras.data.load(
        "cifar10",
        image_size=96,
        batch_size=128,
        train_examples=_TRAIN_EXAMPLES,
        data_dir=_DATA_DIR.value,
    )
    encoder = tl_keras.encoders.load(
        "MobileNetV2", 96, _WEIGHTS.value, alpha=0.35
    )
    print(
        "| trial | test accuracy | seconds |\n| --- | --- | --- |", flush=True
    )
    for name in chosen:
        model = tl_keras.build(
            encoder,
            tl_keras.heads.Classifier(num_classes=data.num_classes),
            seed=_SEED.value,
        )
        began = time.perf_counter()
        tl_keras.fit(model, data, TRIALS[name](), seed=_SEED.value, verbose=0)
        seconds = time.perf_counter() - began
        accuracy = tl_keras.evaluate(model, data.test).accuracy
        print(f"| {name} | {accuracy:.4f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    app.run(main)
