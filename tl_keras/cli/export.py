"""Exports the model of a workdir, or checks what was exported.

    tl-keras export --workdir=runs/cifar10 --to=saved_model,litert,onnx
    tl-keras export --check=runs/cifar10/export/model/1

For TensorFlow Serving, a SavedModel in NAME/VERSION, which takes encoded
files; LiteRT files, each compared with the model on test data; an ONNX file.
"""

from absl import app
from absl import flags

from tl_keras.cli import common

flags.declare_key_flag("workdir")
flags.declare_key_flag("data_dir")
flags.declare_key_flag("trust_modules")
flags.declare_key_flag("debug")

TO = flags.DEFINE_list(
    "to", ["saved_model"], "What to write: saved_model, litert, onnx."
)
NAME = flags.DEFINE_string("name", "model", "The model's name on the server.")
CLASSIFY = flags.DEFINE_bool(
    "classify", False, "Answer TensorFlow Serving's Classify requests too."
)
SELF_CHECK = flags.DEFINE_bool(
    "self_check", True, "Compare the SavedModel's answers in fresh processes."
)
LITERT_FORMS = flags.DEFINE_list(
    "litert_forms",
    ["float32", "float16", "dynamic_range", "int8"],
    "Which LiteRT files.",
)
MAX_ACCURACY_DROP = flags.DEFINE_float(
    "max_accuracy_drop",
    0.01,
    "How much less accurate than the model a LiteRT file may be, as a share.",
)
CHECK = flags.DEFINE_string(
    "check", None, "Folder of an exported version, to be checked again."
)


def main(argv):
    """Exports or checks, and prints what was found."""
    common.no_arguments(argv)
    if CHECK.value:
        if common.WORKDIR.value:
            raise app.UsageError(
                "--check has a version of its own. Expected it without "
                "--workdir, or --workdir alone."
            )
        from tl_keras.serving import self_check

        print(self_check.check(CHECK.value))
        return
    workdir = common.required_workdir()
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import exporting

    for exported in exporting.export(
        workdir,
        TO.value,
        name=NAME.value,
        check=SELF_CHECK.value,
        classify=CLASSIFY.value,
        forms=LITERT_FORMS.value,
        max_accuracy_drop=MAX_ACCURACY_DROP.value,
        data_dir=common.DATA_DIR.value,
        trust_modules=common.TRUST_MODULES.value,
    ):
        print(exported)
