"""Finds duplicates, doubtful labels, leakage and broken files in data.

    tl-keras audit --dataset=folder:photographs --out=audits/photographs
    tl-keras audit --dataset=cifar10 --encoder=MobileNetV2 --out=audits/cifar10
    tl-keras finetune --exclude=audits/cifar10/exclude.txt ...

Writes audit.html with pictures, audit.json, and exclude.txt, the ids of what
training is better off without. `--set` reaches the fields of the config that
say how data are read, and by which encoder: --set=encoder.options.alpha=0.35.
"""

from absl import app
from absl import flags

from tl_keras.cli import common
from tl_keras.cli import config_flags

FLAGS = ("dataset", "data_dir", "cache_dir", "trust_modules", "debug")
for _name in (*FLAGS, "encoder", "weights", "image_size", "exclude", "set"):
    flags.declare_key_flag(_name)

OUT = flags.DEFINE_string("out", None, "Folder for what is found.")
GROUP_COLUMN = flags.DEFINE_string(
    "group_column",
    None,
    "Column of a table that names groups of which none should be in two parts.",
)


def main(argv):
    """Audits, and prints the counts."""
    common.no_arguments(argv)
    for flag in (common.DATASET, OUT):
        if not flag.value:
            raise app.UsageError(
                f"`--{flag.name}` is missing. Expected for example "
                "--dataset=folder:DIR --out=audits/first."
            )
    config = config_flags.config()
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import audits

    audits.of_config(
        config,
        out=OUT.value,
        groups=GROUP_COLUMN.value,
        without_encoder=config_flags.ENCODER.value is None,
    )
