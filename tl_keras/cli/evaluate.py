"""Evaluates the model of a workdir on its test part, or on other data.

tl-keras evaluate --workdir=runs/cifar10
tl-keras evaluate --workdir=runs/flowers --dataset=folder:DIR --split=train
tl-keras evaluate --workdir=runs/cifar10 --corruptions --max_examples=300
"""

from absl import flags

from tl_keras.cli import common

flags.adopt_module_key_flags(common)

TEXT_COLUMN = flags.DEFINE_string(
    "text_column", None, "Texts' column in a table of --dataset, if not text."
)
LABEL_COLUMN = flags.DEFINE_string(
    "label_column", None, "Labels' column of it, if not label."
)
SPLIT = flags.DEFINE_string("split", "test", "test, validation or train.")
CORRUPTIONS = flags.DEFINE_bool(
    "corruptions", False, "Evaluate images under common corruptions instead."
)
MAX_EXAMPLES = flags.DEFINE_integer(
    "max_examples", 500, "How many images --corruptions takes, at random."
)
TEST_TIME_AUGMENTATION = flags.DEFINE_enum(
    "test_time_augmentation",
    None,
    ["flip", "crops"],
    "Take the mean answer to several views of each image.",
)


def main(argv):
    """Reads the workdir, and prints the table of results."""
    common.no_arguments(argv)
    workdir = common.required_workdir()
    if CORRUPTIONS.value:
        _evaluate_corruptions(workdir)
        return
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import inference

    evaluation = inference.evaluate(
        workdir,
        dataset=common.DATASET.value,
        data_dir=common.DATA_DIR.value,
        text_column=TEXT_COLUMN.value,
        label_column=LABEL_COLUMN.value,
        split=SPLIT.value,
        test_time_augmentation=TEST_TIME_AUGMENTATION.value,
        trust_modules=common.TRUST_MODULES.value,
    )
    print(evaluation)


def _evaluate_corruptions(workdir):
    from tl_keras import corrupting

    found = corrupting.evaluate(
        workdir,
        max_examples=MAX_EXAMPLES.value,
        dataset=common.DATASET.value,
        data_dir=common.DATA_DIR.value,
        split=SPLIT.value,
        trust_modules=common.TRUST_MODULES.value,
    )
    print(found)
