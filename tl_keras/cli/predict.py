"""Classifies files, folders of files, or texts with the model of a workdir.

tl-keras predict photograph.jpg more/ --workdir=runs/cifar10 --csv=out.csv
tl-keras predict --text="what a film" --workdir=runs/sentiment
"""

from absl import app
from absl import flags

from tl_keras.cli import common
from tl_keras.cli import texts

flags.declare_key_flag("text")
flags.declare_key_flag("workdir")
flags.declare_key_flag("trust_modules")
flags.declare_key_flag("debug")

CSV = flags.DEFINE_string(
    "csv", None, "File for the probabilities of all classes."
)


def main(argv):
    """Prints the class and its probability, one line per input."""
    if len(argv) < 2 and not texts.TEXT.value:
        raise app.UsageError(
            "Nothing to classify was given. Expected files or folders, or "
            "--text=TEXT, for example: tl-keras predict photograph.jpg "
            "--workdir=runs/first"
        )
    workdir = common.required_workdir()
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import inference

    predictions = inference.predict(
        workdir,
        argv[1:],
        texts=texts.TEXT.value,
        trust_modules=common.TRUST_MODULES.value,
    )
    for prediction in predictions:
        print(prediction)
    if CSV.value:
        inference.write_csv(predictions, CSV.value)
