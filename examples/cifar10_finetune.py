"""Fine-tunes a pretrained encoder on CIFAR-10, in two phases.

Shows the whole way: data, encoder, plan, training with progress, a table of
results, a saved model, and a SavedModel that TensorFlow Serving loads.

    python examples/cifar10_finetune.py

With a network it takes CIFAR-10 from TensorFlow Datasets and MobileNetV2 with
ImageNet weights from Keras; without a GPU it takes a share of the images, so
that it ends in about ten minutes on two cores (`--full` takes all). Where one
of the two cannot be reached it says so at once, and carries out the same plan
with the tiny encoder, whose weights come with the package, on scikit-learn's
handwritten digits, in under three minutes. `README.md` beside this file has
the results to expect.
"""

import dataclasses
import os
import pathlib
import sys

from absl import app
from absl import flags
from absl import logging

from tl_keras import configs
from tl_keras import doctor
from tl_keras import network
from tl_keras.data.augmentation import Augmentation

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of prepared TensorFlow Datasets."
)
WEIGHTS = flags.DEFINE_string(
    "weights", None, "File of MobileNetV2 (alpha 0.35) weights without top."
)
WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder for the results. By default runs/cifar10 or runs/digits, where an "
    "earlier run is replaced.",
)
FULL = flags.DEFINE_bool("full", False, "Use all images without a GPU, too.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of split, order and head.")
REQUIRE_CIFAR10 = flags.DEFINE_bool(
    "require_cifar10", False, "Fail where CIFAR-10 or weights are missing."
)

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
WEIGHTS_FILE = (
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"
)
WEIGHTS_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/"
    f"mobilenet_v2/{WEIGHTS_FILE}"
)
# What fits into about ten minutes on two cores.
CPU_TRAIN_EXAMPLES = 20_000
CIFAR10_TRAIN_EXAMPLES = 48_000
DIGITS_TRAIN_EXAMPLES = 200


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    # TensorFlow's start-up notes would bury what the example prints.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.set_verbosity(logging.ERROR)
    missing = what_is_missing(DATA_DIR.value, WEIGHTS.value)
    if missing and REQUIRE_CIFAR10.value:
        sys.exit(missing)
    try:
        if missing:
            print(f"{missing} The same plan runs on digits instead.")
            finetune_on_digits()
        else:
            finetune_on_cifar10()
    except (ValueError, OSError) as error:
        sys.exit(str(error))


def what_is_missing(data_dir, weights) -> str | None:
    """A sentence if CIFAR-10 or the weights can be had in no way, or None."""
    if not has_cifar10(data_dir):
        reason = network.problem_with(CIFAR10_URL)
        if reason:
            return (
                f"CIFAR-10 cannot be downloaded from {CIFAR10_URL} "
                f"({reason}); --data_dir takes a local copy."
            )
    if not weights and not has_weights():
        reason = network.problem_with(WEIGHTS_URL)
        if reason:
            return (
                f"ImageNet weights cannot be downloaded from {WEIGHTS_URL} "
                f"({reason}); --weights takes a local copy."
            )
    return None


def has_cifar10(data_dir) -> bool:
    """Whether CIFAR-10 is prepared on this machine."""
    folder = doctor.datasets_folder(data_dir)
    prepared = doctor.prepared_datasets(folder)
    return any(name.split("/")[0] == "cifar10" for name in prepared)


def has_weights() -> bool:
    """Whether Keras keeps the weights on this machine."""
    return (doctor.keras_home() / "models" / WEIGHTS_FILE).is_file()


def finetune_on_cifar10():
    """MobileNetV2 from ImageNet to CIFAR-10."""
    import tensorflow as tf

    from tl_keras import runs

    train_examples = None
    if not tf.config.list_physical_devices("GPU") and not FULL.value:
        train_examples = CPU_TRAIN_EXAMPLES
        share = CPU_TRAIN_EXAMPLES / CIFAR10_TRAIN_EXAMPLES
        print(
            f"No GPU: {CPU_TRAIN_EXAMPLES:,} of {CIFAR10_TRAIN_EXAMPLES:,} "
            f"training images ({share:.0%}) and all 10,000 test images are "
            "used. --full takes all.\n"
        )
    runs.run(
        configs.RunConfig(
            data=configs.DataConfig(
                name="cifar10",
                image_size=96,
                batch_size=64,
                train_examples=train_examples,
                validation_fraction=0.04,
                data_dir=DATA_DIR.value,
            ),
            encoder=configs.EncoderConfig(
                name="MobileNetV2",
                weights=WEIGHTS.value or "imagenet",
                options={"alpha": 0.35},
            ),
            plan=configs.PlanConfig(
                name="head_then_top",
                options={
                    "head_epochs": 3,
                    "top_epochs": 8,
                    "top_learning_rate": 2e-3,
                },
            ),
            augmentation=Augmentation(flip=True),
            seed=SEED.value,
            workdir=WORKDIR.value or "runs/cifar10",
        ),
        overwrite=WORKDIR.value is None,
    )


def finetune_on_digits():
    """The tiny encoder from CIFAR-10 to digits, beside two simpler ways."""
    from tl_keras import runs

    print(
        f"{DIGITS_TRAIN_EXAMPLES} labelled images are used for training: few "
        "labels are what transfer learning is for.\n"
    )
    config = configs.RunConfig(
        data=configs.DataConfig(
            name="digits", train_examples=DIGITS_TRAIN_EXAMPLES
        ),
        encoder=configs.EncoderConfig(name="tiny"),
        plan=configs.PlanConfig(
            name="head_then_top",
            options={"head_epochs": 20, "top_epochs": 30},
        ),
        seed=SEED.value,
        workdir=WORKDIR.value or "runs/digits",
    )
    results = runs.run(config, overwrite=WORKDIR.value is None)
    pretrained = results.test.accuracy
    print("\nThe same test images, other ways:")
    others = {
        "tiny encoder, random weights, same plan": random_weights(config),
        "logistic regression on the pixels": logistic_regression(SEED.value),
    }
    print(f"  {'tiny encoder, pretrained':42}{pretrained:.4f}")
    for name, accuracy in others.items():
        margin = 100 * (pretrained - accuracy)
        print(f"  {name:42}{accuracy:.4f}  ({margin:+.1f} points ahead)")


def random_weights(config) -> float:
    """Test accuracy of the same run without what was learned before."""
    from tl_keras import runs

    config = dataclasses.replace(
        config,
        encoder=configs.EncoderConfig(name="tiny", weights=None),
        workdir=str(pathlib.Path(config.workdir) / "random_weights"),
    )
    return runs.run(config, overwrite=True, verbose=0).test.accuracy


def logistic_regression(seed) -> float:
    """Test accuracy of scikit-learn's linear model on the 8 x 8 pixels."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    import tl_keras

    data = tl_keras.data.load(
        "digits",
        image_size=8,
        channels=1,
        seed=seed,
        train_examples=DIGITS_TRAIN_EXAMPLES,
    )

    def arrays(dataset):
        batches = list(dataset.as_numpy_iterator())
        images = np.concatenate([images for images, _ in batches])
        labels = np.concatenate([labels for _, labels in batches])
        return images.reshape(len(images), -1) / 255.0, labels

    model = LogisticRegression(max_iter=2000).fit(*arrays(data.train))
    return float(model.score(*arrays(data.test)))


if __name__ == "__main__":
    app.run(main)
