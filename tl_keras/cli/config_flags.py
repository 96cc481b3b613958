"""Flags that say what a run is: a config file, and single fields."""

from absl import flags

from tl_keras import configs
from tl_keras.cli import common

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
EXCLUDE = flags.DEFINE_string(
    "exclude", None, "File with ids of examples to leave out, one a line."
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
    "auto, none, mirrored, multiworker (the workers that TF_CONFIG names), tpu "
    "(that of this machine) or tpu:NAME.",
)
PRECISION = flags.DEFINE_string(
    "precision", None, "float32, mixed_bfloat16 or mixed_float16."
)
FIELDS = {
    "data.name": common.DATASET,
    "data.data_dir": common.DATA_DIR,
    "data.image_size": IMAGE_SIZE,
    "data.exclude": EXCLUDE,
    "encoder.name": ENCODER,
    "encoder.weights": WEIGHTS,
    "plan.name": PLAN,
    "prefix_cache.mode": PREFIX_CACHE,
    "prefix_cache.folder": common.CACHE_DIR,
    "strategy": STRATEGY,
    "precision": PRECISION,
    "workdir": common.WORKDIR,
}


def config() -> configs.RunConfig:
    """The config that the flags describe."""
    overrides = [
        f"{field}={flag.value}"
        for field, flag in FIELDS.items()
        if flag.value is not None
    ]
    if common.TRUST_MODULES.value:
        overrides.append("encoder.options.trust_modules=true")
    return configs.load(CONFIG.value, overrides + SET.value)


def given() -> list[str]:
    """Those of the flags here that are on the command line."""
    own = flags.FLAGS.flags_by_module_dict()[__name__]
    return [f"--{flag.name}" for flag in own if flag.present]
