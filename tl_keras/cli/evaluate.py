"""Evaluates the model of a workdir on its test part, or on other data.

tl-keras evaluate --workdir=runs/cifar10
tl-keras evaluate --workdir=runs/flowers --dataset=folder:DIR --split=train
tl-keras evaluate --workdir=runs/lesions --slice=hospital --wanted_recall=0.95
tl-keras evaluate --workdir=runs/cifar10 --corruptions --max_examples=300

Or trains its plan again, to tell how the scores scatter: over folds of what it
trained and validated on, over random divisions of it, or over seeds. The
figures go into the workdir's results.json.

tl-keras evaluate --workdir=runs/lesions --folds=5 --repeats=3 --group=patient
tl-keras evaluate --workdir=runs/cifar10 --seeds=5
"""

from absl import app
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
SLICE = flags.DEFINE_multi_string(
    "slice", [], "Column of the data; shows the metrics for each value of it."
)
PRECISION = flags.DEFINE_float(
    "wanted_precision", 0.9, "Shows thresholds that reach it, in [0, 1]."
)
RECALL = flags.DEFINE_float("wanted_recall", 0.9, "The same for recall.")
FOLDS = flags.DEFINE_integer(
    "folds", None, "Cross-validation with so many folds, stratified."
)
REPEATS = flags.DEFINE_integer("repeats", 1, "How many divisions into folds.")
SPLITS = flags.DEFINE_integer(
    "splits", None, "Trainings on so many random divisions."
)
SEEDS = flags.DEFINE_integer(
    "seeds", None, "Trainings with so many seeds; of each fold, if there are."
)
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
GROUP = flags.DEFINE_string(
    "group", None, "Column of the data whose equal values stay in one part."
)


def main(argv):
    """Reads the workdir, and prints the table of results."""
    common.no_arguments(argv)
    workdir = common.required_workdir()
    if FOLDS.value or SPLITS.value or SEEDS.value:
        _repeat(workdir)
        return
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
        slices=SLICE.value or None,
        precision=PRECISION.value,
        recall=RECALL.value,
        test_time_augmentation=TEST_TIME_AUGMENTATION.value,
        trust_modules=common.TRUST_MODULES.value,
    )
    print(evaluation)
    for kind in ("precision", "recall"):
        if flags.FLAGS[f"wanted_{kind}"].present:
            print("\n" + evaluation.threshold_table(kind))


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


def _repeat(workdir):
    if common.DATASET.value or (FOLDS.value and SPLITS.value):
        raise app.UsageError(
            "--folds, --splits and --seeds train the run again on its own "
            "data. Expected one of --folds and --splits, and no --dataset."
        )
    kind, count = "seeds", SEEDS.value
    for name, flag in (("folds", FOLDS), ("splits", SPLITS)):
        if flag.value:
            kind, count = name, flag.value
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import stability

    print(
        stability.measure(
            workdir,
            kind,
            count,
            repeat=REPEATS.value,
            seeds=1 if kind == "seeds" else SEEDS.value or 1,
            group_column=GROUP.value,
            data_dir=common.DATA_DIR.value,
        )
    )
