"""What the forms of a LiteRT file cost, on CIFAR-10.

Fine-tunes MobileNetV2 (alpha 0.35, 96 px) on some CIFAR-10 images, converts
it to every form, and prints a Markdown table of size and accuracy beside the
Keras model; then one of sizes alone for alpha 1.0 with random weights:

    python benchmarks/litert_accuracy.py --data_dir=DIR --weights=FILE

`DIR` holds CIFAR-10 as TensorFlow Datasets prepares it; `FILE` is Keras'
ImageNet file of that model. `--model=PATH` keeps the trained model there, and
a next run takes it from there. `benchmarks/README.md` holds the tables.
"""

import os
import pathlib
import tempfile
import time

from absl import app
from absl import flags

import tl_keras
from tl_keras import plans
from tl_keras.serving import litert
from tl_keras.serving import litert_forms

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared CIFAR-10.")
_WEIGHTS = flags.DEFINE_string("weights", "imagenet", "Weights of the encoder.")
_MODEL = flags.DEFINE_string("model", None, "`.keras` file, read or written.")
_TRAIN_EXAMPLES = flags.DEFINE_integer("train_examples", 3000, "To train on.")
_TEST_EXAMPLES = flags.DEFINE_integer("test_examples", 10_000, "To judge by.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the training.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    data = tl_keras.data.load(
        "cifar10",
        image_size=96,
        batch_size=64,
        train_examples=_TRAIN_EXAMPLES.value,
        data_dir=_DATA_DIR.value,
    )
    model = trained(data)
    judges = data.test.unbatch().take(_TEST_EXAMPLES.value).batch(64)
    calibration = litert.calibration_batches(data)
    print_row("form", "bytes", "of float", "same class", "accuracy", "seconds")
    print_row(*["---"] * 6)
    sizes = {}
    for form, report, seconds in converted(model, calibration, judges):
        sizes[form] = report.size_bytes
        gain = report.accuracy - report.keras_accuracy
        print_row(
            form,
            f"{report.size_bytes:,}",
            f"{sizes[form] / sizes['float32']:.2f}",
            f"{report.same_class:.4f}",
            f"{report.accuracy:.4f} ({gain:+.4f})",
            f"{seconds:.0f}",
        )
    print(f"\nOf {report.num_examples} images; Keras has ", end="")
    print(f"{report.keras_accuracy:.4f}.\n")
    print_sizes(calibration)


def trained(data):
    """A fine-tuned model, from the file if there is one."""
    path = _MODEL.value
    if path and os.path.exists(path):
        return tl_keras.load_model(path)
    encoder = tl_keras.encoders.load(
        "MobileNetV2", 96, _WEIGHTS.value, alpha=0.35
    )
    head = tl_keras.heads.Classifier(num_classes=data.num_classes)
    model = tl_keras.build(encoder, head, seed=_SEED.value)
    plan = plans.head_then_top(2, 2)
    tl_keras.fit(model, data, plan, seed=_SEED.value, verbose=0)
    if path:
        tl_keras.save(model, path)
    return model


def converted(model, calibration, judges):
    """Yields each form's name, its `Agreement`, and seconds to convert."""
    with tempfile.TemporaryDirectory() as folder:
        for form in litert_forms.FORMS:
            began = time.perf_counter()
            path = litert.convert(
                model,
                pathlib.Path(folder) / f"{form}.tflite",
                form=form,
                calibration=calibration,
            )
            seconds = time.perf_counter() - began
            yield form, litert.compare(model, path, judges), seconds


def print_sizes(calibration):
    encoder = tl_keras.encoders.load("MobileNetV2", 96, None, alpha=1.0)
    head = tl_keras.heads.Classifier(num_classes=10)
    model = tl_keras.build(encoder, head)
    print_row("form, alpha 1.0", "bytes", "of float")
    print_row(*["---"] * 3)
    sizes = {}
    for form in litert_forms.FORMS:
        sizes[form] = len(litert_forms.content(model, form, calibration))
        share = sizes[form] / sizes["float32"]
        print_row(form, f"{sizes[form]:,}", f"{share:.2f}")


def print_row(*cells):
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    app.run(main)
