"""Fine-tunes an encoder on a data set, evaluates and exports it.

    tl-keras finetune --dataset=cifar10 --encoder=MobileNetV2 \\
        --plan=head_then_top --workdir=runs/cifar10

`--set` reaches every field of the config: --set=plan.options.head_epochs=3,
--set=encoder.options.alpha=0.35, --set=seed=3.

With --strategy=multiworker each worker is given the same command, and its own
TF_CONFIG. The first one writes the files.

A run that was stopped goes on where it was when the command is given again.
After SIGTERM it ends with exit code 143, a checkpoint being written.
"""

from absl import flags

from tl_keras import workdirs
from tl_keras.cli import common
from tl_keras.cli import config_flags
from tl_keras.training import cluster

flags.adopt_module_key_flags(common)
flags.adopt_module_key_flags(config_flags)

OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace the run that the workdir holds."
)


def main(argv):
    """Reads the flags into a config, and runs it."""
    common.no_arguments(argv)
    config = config_flags.config()
    if config.strategy == "multiworker":
        cluster.read()
    else:
        # Of several workers, the chief looks.
        workdirs.make(config.workdir).goes_on(config, overwrite=OVERWRITE.value)
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import runs

    runs.run(config, overwrite=OVERWRITE.value)
