"""Classifies images, or folders of images, with the model of a workdir.

tl-keras predict photograph.jpg more/ --workdir=runs/cifar10 --csv=out.csv
"""

from absl import app
from absl import flags

from tl_keras.cli import common

flags.declare_key_flag("workdir")
flags.declare_key_flag("debug")

CSV = flags.DEFINE_string(
    "csv", None, "File for the probabilities of all classes."
)


def main(argv):
    """Prints the class and its probability, one line per image."""
    if len(argv) < 2:
        raise app.UsageError(
            "No image was given. Expected image files or folders, for "
            "example: tl-keras predict photograph.jpg --workdir=runs/first"
        )
    workdir = common.required_workdir()
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import inference

    predictions = inference.predict(workdir, argv[1:])
    for prediction in predictions:
        print(prediction)
    if CSV.value:
        inference.write_csv(predictions, CSV.value)
