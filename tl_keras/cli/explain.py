"""Shows which parts of images or texts speak for a class, and checks that.

    tl-keras explain photograph.jpg more/ --workdir=runs/cifar10
    tl-keras explain --workdir=runs/cifar10 --top_losses=16
    tl-keras explain --text="what a film" --workdir=runs/sentiment \\
        --methods=occlusion,shap

A picture for each input and method, and explanations.json, go to
WORKDIR/explanations or --out. Each is checked by its deletion and insertion
curves beside those of the same map moved at random, and of the map that the
method gives for the model with shuffled weights.
"""

from absl import app
from absl import flags

from tl_keras.cli import common
from tl_keras.cli import texts
from tl_keras.interpretation import requests

flags.declare_key_flag("text")
flags.declare_key_flag("workdir")
flags.declare_key_flag("data_dir")
flags.declare_key_flag("trust_modules")
flags.declare_key_flag("debug")

METHODS = flags.DEFINE_list(
    "methods",
    [],
    "grad_cam, integrated_gradients, occlusion, lime, shap; without it, "
    "grad_cam where the model has a layer for it, else occlusion.",
)
CLASS = flags.DEFINE_string(
    "class", None, "The class to explain, instead of the predicted one."
)
LAYER = flags.DEFINE_string("layer", None, "The layer of grad_cam.")
CHECKS = flags.DEFINE_bool(
    "checks", True, "Check each explanation: some 180 passes an image."
)
NEIGHBOURS = flags.DEFINE_integer(
    "neighbours", 0, "How many of the nearest training examples to name."
)
TOP_LOSSES = flags.DEFINE_integer(
    "top_losses", 0, "How many of the worst test errors to explain too."
)
OUT = flags.DEFINE_string("out", None, "Folder for what is written.")


def main(argv):
    """Explains, and prints a line per explanation."""
    given = argv[1:] or texts.TEXT.value or TOP_LOSSES.value
    if not given:
        raise app.UsageError(
            "Nothing to explain was given. Expected files or folders, "
            "--text=TEXT or --top_losses=NUMBER, for example: tl-keras "
            "explain photograph.jpg --workdir=runs/first"
        )
    workdir = common.required_workdir()
    request = requests.Request(
        methods=METHODS.value,
        class_name=CLASS.value,
        layer=LAYER.value,
        check=CHECKS.value,
        neighbours=NEIGHBOURS.value,
        top_losses=TOP_LOSSES.value,
    )
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import explaining
    from tl_keras.reports import explanation_files

    found = explaining.explain(
        workdir,
        argv[1:],
        texts=texts.TEXT.value,
        request=request,
        out=OUT.value,
        data_dir=common.DATA_DIR.value,
        trust_modules=common.TRUST_MODULES.value,
    )
    print(explanation_files.table(found))
