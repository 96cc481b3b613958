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

from tl_keras import configs
from tl_keras import workdirs
from tl_keras.cli import common
from tl_keras.training import cluster

flags.adopt_module_key_flags(common)

CONFIG = flags.DEFINE_string(
    "config", None, "Python file whose get_config() returns a RunConfig."
)
SET = flags.DEFINE_multi_string(
    "set", [], "FIELD=VALUE, a field of the config; may be given repeatedly."
)
ENCODER = flags.DEFINE_string(
    "encoder",
    None,
    "tiny, minilm, a model of keras.applications, hub:HANDLE, preset:NAME or "
    "file:PATH.",
)
WEIGHTS = flags.DEFINE_string(
    "weights", None, "imagenet, none, or the path of a weights file."
)
IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", None, "Height and width of the images in pixels."
)
PLAN = flags.DEFINE_string(
    "plan", None, "Which groups train in which order, e.g. head_then_top."
)
PREFIX_CACHE = flags.DEFINE_string(
    "prefix_cache",
    None,
    "Compute what is frozen in front once for each example: auto, never or "
    "always.",
)
STRATEGY = flags.DEFINE_string(
    "strategy",
    None,
    "auto, none, mirrored, or multiworker: the workers that TF_CONFIG names.",
)
PRECISION = flags.DEFINE_string(
    "precision", None, "float32, mixed_bfloat16 or mixed_float16."
)
OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace the run that the workdir holds."
)

FIELDS = {
    "data.name": common.DATASET,
    "data.data_dir": common.DATA_DIR,
    "data.image_size": IMAGE_SIZE,
    "encoder.name": ENCODER,
    "encoder.weights": WEIGHTS,
    "plan.name": PLAN,
    "prefix_cache.mode": PREFIX_CACHE,
    "prefix_cache.folder": common.CACHE_DIR,
    "strategy": STRATEGY,
    "precision": PRECISION,
    "workdir": common.WORKDIR,
}


def main(argv):
    """Reads the flags into a config, and runs it."""
    common.no_arguments(argv)
    overrides = [
        f"{field}={flag.value}"
        for field, flag in FIELDS.items()
        if flag.value is not None
    ]
    if common.TRUST_MODULES.value:
        overrides.append("encoder.options.trust_modules=true")
    config = configs.load(CONFIG.value, overrides + SET.value)
    if config.strategy == "multiworker":
        cluster.read()
    else:
        # Of several workers, the chief looks.
        workdirs.make(config.workdir).goes_on(config, overwrite=OVERWRITE.value)
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import runs

    runs.run(config, overwrite=OVERWRITE.value)
