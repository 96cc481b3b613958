"""What pruning saves and what it costs, on CIFAR-10.

Trains MobileNetV2 (alpha 0.35, 96 px) on CIFAR-10 by `probe_then_full`, dense
and pruned to several sparsities, and prints a Markdown table of the test
accuracy, of the share of zeros in all kernels and of the bytes of the weights
after gzip:

    python benchmarks/pruning.py --data_dir=DIR --weights=FILE

`DIR` holds CIFAR-10 as TensorFlow Datasets prepares it; `FILE` is Keras'
ImageNet file of that model. A trial takes a few minutes on two cores;
`--only=PATTERN` chooses some by a regular expression. The dense trial runs in
any case, since sizes are compared with it.
"""

import re
import time

from absl import app
from absl import flags

import tl_keras
from tl_keras import compression
from tl_keras import plans
from tl_keras import tuning

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared CIFAR-10.")
_WEIGHTS = flags.DEFINE_string("weights", "imagenet", "Weights of the encoder.")
_ONLY = flags.DEFINE_string("only", "", "Pattern of the trials' names.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of each trial.")
_TRAIN_EXAMPLES = flags.DEFINE_integer(
    "train_examples", 10_000, "How many training images are used."
)
_EPOCHS = flags.DEFINE_integer("epochs", 8, "Epochs of the second phase.")

_DENSE = "dense"
TRIALS = {
    _DENSE: None,
    "0.5 of each kernel": tuning.Pruning(0.5),
    "0.8 of each kernel": tuning.Pruning(0.8),
    "0.9 of each kernel": tuning.Pruning(0.9),
    "0.5 of all kernels": tuning.Pruning(0.5, scope="global"),
    "0.8 of all kernels": tuning.Pruning(0.8, scope="global"),
    "0.9 of all kernels": tuning.Pruning(0.9, scope="global"),
    "0.8 of each kernel, end 0.25": tuning.Pruning(0.8, end=0.25),
    "0.8 of each kernel, end 0.75": tuning.Pruning(0.8, end=0.75),
}


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    chosen = [n for n in TRIALS if n == _DENSE or re.search(_ONLY.value, n)]
    data = tl_keras.data.load(
        "cifar10",
        image_size=96,
        batch_size=128,
        train_examples=_TRAIN_EXAMPLES.value,
        data_dir=_DATA_DIR.value,
    )
    encoder = tl_keras.encoders.load(
        "MobileNetV2", 96, _WEIGHTS.value, alpha=0.35
    )
    print(
        "| pruned | test accuracy | zeros | bytes after gzip | of dense "
        "| seconds |\n| --- | --- | --- | --- | --- | --- |",
        flush=True,
    )
    dense = None
    for name in chosen:
        model = tl_keras.build(
            encoder,
            tl_keras.heads.Classifier(num_classes=data.num_classes),
            seed=_SEED.value,
        )
        plan = plans.probe_then_full(2, _EPOCHS.value, pruning=TRIALS[name])
        began = time.perf_counter()
        tl_keras.fit(model, data, plan, seed=_SEED.value, verbose=0)
        seconds = time.perf_counter() - began
        dense = dense or model
        print(_row(name, model, dense, data, seconds), flush=True)


def _row(name, model, dense, data, seconds) -> str:
    accuracy = tl_keras.evaluate(model, data.test).accuracy
    report = compression.sparsity(model, dense)
    share = report.gzip_bytes / report.dense_gzip_bytes
    return (
        f"| {name} | {accuracy:.4f} | {report.sparsity:.1%} "
        f"| {report.gzip_bytes:,} | {share:.0%} | {seconds:.0f} |"
    )


if __name__ == "__main__":
    app.run(main)
