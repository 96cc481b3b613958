"""Fine-tunes YAMNet to tell spoken digits apart, beside a simpler way.

Shows a table of sound files, an encoder of sound that brings them to its own
sample rate, a plan, and a served model that hears a clip as it was trained to;
and how far scikit-learn gets on spectra without anything pretrained.

    python examples/audio_classes.py --clips=DIR

where DIR is `recordings` of https://github.com/Jakobovski/free-spoken-digit-dataset:
files DIGIT_SPEAKER_TAKE.wav, of which takes 0 to 4 are the test part. YAMNet
comes from TF Hub, or by --encoder=hub:PATH from a folder. `README.md` beside
this file has the results to expect.
"""

import csv
import os
import pathlib
import sys

from absl import app
from absl import flags
from absl import logging

from tl_keras import configs

CLIPS = flags.DEFINE_string("clips", None, "Folder of DIGIT_SPEAKER_TAKE.wav.")
ENCODER = flags.DEFINE_string(
    "encoder",
    "hub:https://tfhub.dev/google/yamnet/1",
    "An encoder of sound: hub:HANDLE.",
)
PLAN = flags.DEFINE_string("plan", "probe_then_full", "A named plan.")
SET = flags.DEFINE_multi_string(
    "set", [], "FIELD=VALUE, a field of the config; may be given repeatedly."
)
SEED = flags.DEFINE_integer("seed", 0, "Seed of split, order and head.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder for the results. By default runs/digits_spoken."
)

SECONDS = 1.0
PLAN_OPTIONS = ("probe_epochs=3", "full_epochs=6")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    if not CLIPS.value:
        raise app.UsageError(
            "`--clips` is missing. Expected the folder `recordings` of "
            "https://github.com/Jakobovski/free-spoken-digit-dataset."
        )
    # TensorFlow's start-up notes would bury what the example prints.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.set_verbosity(logging.ERROR)
    workdir = pathlib.Path(WORKDIR.value or "runs/digits_spoken")
    table = workdir.with_name(f"{workdir.name}.csv")
    options = PLAN_OPTIONS if PLAN.value == "probe_then_full" else ()
    try:
        write_table(pathlib.Path(CLIPS.value), table)
        config = configs.load(
            overrides=[
                f"data.name=csv:{table}",
                f"data.seconds={SECONDS}",
                f"encoder.name={ENCODER.value}",
                f"plan.name={PLAN.value}",
                *(f"plan.options.{option}" for option in options),
                f"seed={SEED.value}",
                f"workdir={workdir}",
                *SET.value,
            ]
        )
        finetune(config)
    except (ValueError, TypeError, OSError, ImportError) as error:
        sys.exit(str(error))


def write_table(folder, table):
    """A table of the clips: path, digit, and the part that they belong to."""
    clips = sorted(folder.glob("[0-9]_*_*.wav"))
    if not clips:
        raise FileNotFoundError(
            f"There are no clips in {str(folder)!r}. Expected files such as "
            "7_jackson_3.wav."
        )
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for clip in clips:
            digit, _, take = clip.stem.split("_")
            part = "test" if int(take) < 5 else "train"
            writer.writerow([clip.resolve(), digit, part])


def finetune(config):
    """The run, and spectra alone on the same split."""
    from tl_keras import runs

    results = runs.run(config, overwrite=WORKDIR.value is None)
    print("\nThe same test clips, another way:")
    for name, accuracy in (
        (f"{results.report.encoder}, fine-tuned", results.test.accuracy),
        ("logistic regression on spectra", logistic_regression(config)),
    ):
        print(f"  {name:42}{accuracy:.4f}")


def logistic_regression(config) -> float:
    """Accuracy of scikit-learn's linear model on log spectra over time."""
    import numpy as np
    import tensorflow as tf
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tl_keras import runs

    data = runs.prepare_data(
        runs.read_data(config.data), config.data, config.seed
    )

    def arrays(dataset):
        spectra, labels = [], []
        for waveforms, batch_labels in dataset:
            frames = tf.abs(tf.signal.stft(waveforms, 256, 256))
            # Sixteen bands at each of 31 times.
            bands = tf.reshape(frames[..., :128], [len(waveforms), -1, 16, 8])
            bands = tf.math.log(tf.reduce_mean(bands, axis=-1) + 1e-3)
            spectra.append(tf.reshape(bands, [len(waveforms), -1]))
            labels.append(batch_labels)
        return np.concatenate(spectra), np.concatenate(labels)

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(*arrays(data.train))
    return float(model.score(*arrays(data.test)))


if __name__ == "__main__":
    app.run(main)
