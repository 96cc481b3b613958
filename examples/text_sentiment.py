"""Fine-tunes a text encoder to tell praise from blame, beside a simpler way.

Shows a table of texts, a text encoder, a plan, and a model that takes strings
and is served as it was trained; and how far scikit-learn gets on the same
split without anything pretrained.

    python examples/text_sentiment.py

takes SST-2 from TensorFlow Datasets and a sentence encoder from TF Hub. With
files of your own, neither needs a network:

    python examples/text_sentiment.py --dataset=tsv:DIR --text_column=0 \\
        --label_column=1 --encoder=minilm

where DIR has `train.tsv`, `dev.tsv` and `test.tsv`, a sentence and 0 or 1 in
each line. `README.md` beside this file has the results to expect.
"""

import os
import sys

from absl import app
from absl import flags
from absl import logging

from tl_keras import configs

DATASET = flags.DEFINE_string(
    "dataset", "glue/sst2", "Texts: a TensorFlow Datasets name, csv:, tsv: ..."
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of prepared TensorFlow Datasets."
)
TEXT_COLUMN = flags.DEFINE_string(
    "text_column", "text", "The texts' column: its name, or its position."
)
LABEL_COLUMN = flags.DEFINE_string(
    "label_column", "label", "The labels' column: its name, or its position."
)
ENCODER = flags.DEFINE_string(
    "encoder",
    "hub:https://tfhub.dev/google/nnlm-en-dim50/2",
    "A text encoder: hub:HANDLE, preset:NAME or minilm.",
)
PLAN = flags.DEFINE_string("plan", "probe_then_full", "A named plan.")
SET = flags.DEFINE_multi_string(
    "set", [], "FIELD=VALUE, a field of the config; may be given repeatedly."
)
SEED = flags.DEFINE_integer("seed", 0, "Seed of split, order and head.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder for the results. By default runs/sentiment."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    # TensorFlow's start-up notes would bury what the example prints.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.set_verbosity(logging.ERROR)
    try:
        config = configs.load(
            overrides=[
                f"data.name={DATASET.value}",
                f"data.data_dir={DATA_DIR.value}",
                f"data.text_column={TEXT_COLUMN.value}",
                f"data.label_column={LABEL_COLUMN.value}",
                f"encoder.name={ENCODER.value}",
                f"plan.name={PLAN.value}",
                f"seed={SEED.value}",
                f"workdir={WORKDIR.value or 'runs/sentiment'}",
                *SET.value,
            ]
        )
        finetune(config)
    except (ValueError, TypeError, OSError, ImportError) as error:
        sys.exit(str(error))


def finetune(config):
    """The run, and the words alone on the same split."""
    from tl_keras import runs

    results = runs.run(config, overwrite=WORKDIR.value is None)
    # SST-2 keeps the labels of its test part to itself.
    part = "test" if results.test else "validation"
    from tl_keras import inference

    scores = inference.evaluate(config.workdir, split=part)
    words = logistic_regression(config, part)
    print(f"\nThe same {part} texts, another way:")
    for name, accuracy in (
        (f"{results.report.encoder}, fine-tuned", scores.accuracy),
        ("logistic regression on the words", words),
    ):
        print(f"  {name:42}{accuracy:.4f}")
    for text in ("a film to fall in love with", "two hours of nothing at all"):
        [prediction] = inference.predict(config.workdir, texts=[text])
        print(prediction)


def logistic_regression(config, part) -> float:
    """Accuracy of scikit-learn's linear model on TF-IDF of words and pairs."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from tl_keras import runs

    data = runs.prepare_data(
        runs.read_data(config.data), config.data, config.seed
    )

    def arrays(dataset):
        texts, labels = zip(*dataset.unbatch().as_numpy_iterator(), strict=True)
        return [text.decode() for text in texts], labels

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000)
    )
    model.fit(*arrays(data.train))
    return float(model.score(*arrays(getattr(data, part))))


if __name__ == "__main__":
    app.run(main)
