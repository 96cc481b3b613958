"""Flags that several commands share: absl flags are global to a process."""

from absl import app
from absl import flags

WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run: its config, log, model and results."
)
DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "Data: digits, a TensorFlow Datasets name such as cifar10, folder:PATH, "
    "csv:PATH, tsv:PATH or npz:PATH; images, texts or sound.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of prepared TensorFlow Datasets."
)
CACHE_DIR = flags.DEFINE_string(
    "cache_dir",
    None,
    "Folder for what the frozen part of a model gives for each example.",
)
TRUST_MODULES = flags.DEFINE_bool(
    "trust_modules",
    False,
    "Load a TF Hub module out of a .keras file whatever it may do.",
)
DEBUG = flags.DEFINE_bool("debug", False, "Show the traceback of an error.")


def required_workdir() -> str:
    """The value of `--workdir`, which may not be missing."""
    if not WORKDIR.value:
        raise app.UsageError(
            "`--workdir` is missing. Expected the folder of the run, for "
            "example --workdir=runs/first."
        )
    return WORKDIR.value


def no_arguments(argv):
    """Refuses anything on the command line that is not a flag."""
    if len(argv) > 1:
        raise app.UsageError(
            f"Unexpected arguments. Got: {argv[1:]}. Expected flags only, "
            "for example --dataset=digits."
        )
