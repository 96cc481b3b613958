"""What the model of a finished run says of labelled data and of new inputs."""

import csv
import dataclasses
import os
import pathlib
import re

import numpy as np
import tensorflow as tf

from tl_keras import cards
from tl_keras import checks
from tl_keras import configs
from tl_keras import models
from tl_keras import runs
from tl_keras import workdirs
from tl_keras.data import files as data_files
from tl_keras.data import preparation
from tl_keras.data import texts as data_texts
from tl_keras.data.choices import Choices
from tl_keras.evaluation import augmented_predictions
from tl_keras.evaluation import metrics
from tl_keras.evaluation import slices as slicing
from tl_keras.evaluation import thresholds

BATCH_SIZE = 32
# Kind of input to what its files are, and how one may be called.
_FILES = {
    "image": ("images", "photograph.jpg"),
    "text": ("texts", "review.txt"),
    "audio": ("sound files", "recording.wav"),
}


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of one input; `print` shows it as a line.

    Attributes:
        input: What was classified: the file's path, or the text.
        class_name: The class with the highest probability.
        probability: That probability, in [0, 1].
        probabilities: Class name to probability, in the order of the classes.
    """

    input: str
    class_name: str
    probability: float
    probabilities: dict[str, float] = dataclasses.field(repr=False)

    def __str__(self):
        # A text may have lines and tabs of its own.
        shown = re.sub(r"[\t\r\n]+", " ", self.input)
        return f"{shown}\t{self.class_name}\t{self.probability:.4f}"


def evaluate(
    workdir,
    *,
    dataset=None,
    data_dir=None,
    text_column: str | None = None,
    label_column: str | None = None,
    split: str = "test",
    slices=None,
    precision: float = thresholds.WANTED,
    recall: float = thresholds.WANTED,
    test_time_augmentation: str | None = None,
    trust_modules: bool = False,
) -> metrics.Evaluation:
    """Evaluates the model of a finished run, on its own or on other data.

    Args:
        workdir: The run's folder.
        dataset: Name of other data with the same classes. None: that of the
            run, split as it was.
        data_dir: Folder of prepared TensorFlow Datasets. None: that of the
            run.
        text_column: Where the texts are in a table of `dataset`, as in
            `tl_keras.configs.DataConfig`. None: its default.
        label_column: Where its labels are, likewise.
        split: "test", "validation" or "train".
        slices: Names of columns of the data: metrics are told for each of
            their values. None: those with few values, or numbers.
        precision: What `Evaluation.thresholds` are to reach, in [0, 1].
        recall: Likewise.
        test_time_augmentation: "flip" or "crops" takes the mean answer to
            several views of each image, see
            `tl_keras.evaluation.augmented_predictions`. None: each as it is.
        trust_modules: See `tl_keras.load_model`.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: If there is no finished run, if the data has other classes,
            or no such part or column, or if the model takes no images to
            augment.
    """
    model, data = read_labelled(
        workdir,
        dataset=dataset,
        data_dir=data_dir,
        text_column=text_column,
        label_column=label_column,
        split=split,
        trust_modules=trust_modules,
    )
    if test_time_augmentation is not None:
        model = augmented_predictions.over_views(model, test_time_augmentation)
    # In stored order, as are the columns.
    return metrics.evaluate(
        model,
        data.evaluation_batches(split),
        class_names=data.class_names,
        columns=_columns(data.columns(split), slices),
        precision=precision,
        recall=recall,
    )


def read_labelled(
    workdir,
    *,
    dataset=None,
    data_dir=None,
    text_column: str | None = None,
    label_column: str | None = None,
    split: str = "test",
    trust_modules: bool = False,
):
    """The model of a finished run, and data to evaluate it on.

    Args:
        workdir: The run's folder.
        dataset: As in `evaluate`.
        data_dir: As in `evaluate`.
        text_column: As in `evaluate`.
        label_column: As in `evaluate`.
        split: Which part the data must have.
        trust_modules: See `tl_keras.load_model`.

    Returns:
        A `keras.Model` and a `Data`.

    Raises:
        ValueError: As `evaluate`.
    """
    checks.one_of(split, ("test", "validation", "train"), name="split")
    config = workdirs.read_config(workdir)
    model = models.load_model(
        workdirs.make(workdir).model, trust_modules=trust_modules
    )
    card = cards.of(model)
    data_config = _data_config(
        config.data, dataset, data_dir, text_column, label_column
    )
    data = runs.data_for(
        dataclasses.replace(config, data=data_config), card.input_spec
    )
    if tuple(data.class_names) != card.class_names:
        raise ValueError(
            f"The classes of {data.name!r} are not those of the model. Got: "
            f"{data.class_names}. Expected: {card.class_names}."
        )
    parts = [part for part, count in data.num_examples.items() if count]
    if split not in parts:
        raise ValueError(
            f"{data.name!r} has no {split} part. Got: split={split!r}. "
            f"Expected one of: {', '.join(parts)}."
        )
    return model, data


def _columns(columns, slices):
    if slices is None:
        return slicing.worth_slicing(columns)
    for name in slices:
        if name not in columns:
            raise ValueError(
                f"The data has no column {name!r}. Got the columns: "
                f"{list(columns)}. A table's other columns, the folders of "
                "files within their class, and other values of a TensorFlow "
                "Datasets example are columns."
            )
    return {name: columns[name] for name in slices}


def _data_config(config, dataset, data_dir, text_column, label_column):
    columns = {"text_column": text_column, "label_column": label_column}
    given = {k: v for k, v in columns.items() if v is not None}
    if dataset is None:
        if given:
            raise ValueError(
                f"{given} is for other data: the run knows its own columns. "
                "Name the data by `dataset`, or leave it out."
            )
        return dataclasses.replace(config, data_dir=data_dir or config.data_dir)
    # Of other data, all is used, and what was said of the run's may not fit.
    said_of_the_run = {
        "data_dir": data_dir,
        "train_examples": None,
        "validation_fraction": 0.0,
        "exclude": None,
        "text_column": configs.DataConfig.text_column,
        "label_column": configs.DataConfig.label_column,
    }
    return dataclasses.replace(
        config, name=dataset, **{**said_of_the_run, **given}
    )


def predict(
    workdir, paths=(), *, texts=(), trust_modules: bool = False
) -> list[Prediction]:
    """Classifies files, or texts, with the model of a finished run.

    Args:
        workdir: The run's folder.
        paths: Files of the kind that the model takes: images, texts (one a
            file) or sound files; or folders whose files of that kind are all
            taken.
        texts: Texts, for a model that takes them.
        trust_modules: See `tl_keras.load_model`.

    Returns:
        A `Prediction` per file, the files of a folder in order of their
        names; then one per text.

    Raises:
        ValueError: If there is no finished run, a folder has no file of the
            kind, or a file cannot be read (the message names it).
        FileNotFoundError: If there is no such file or folder.
    """
    # One may be given as it is.
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    texts = [texts] if isinstance(texts, str) else texts
    config = workdirs.read_config(workdir)
    model = models.load_model(
        workdirs.make(workdir).model, trust_modules=trust_modules
    )
    card = cards.of(model)
    kind = card.input_spec.kind
    if len(texts) and kind != "text":
        raise ValueError(
            f"The model takes {card.input_spec}. Got: {len(texts)} texts. "
            "Expected files."
        )
    files = [file for path in paths for file in files_of(path, kind)]
    choices = choices_of(config, card)
    inputs = []
    if files:
        inputs.append((data_files.to_inputs(files, kind), map(str, files)))
    if len(texts):
        inputs.append((data_texts.to_inputs(texts, "texts"), texts))
    predictions = []
    for one, names in inputs:
        rows = _probabilities(model, one, choices)
        predictions += [
            _prediction(name, row, card.class_names)
            for name, row in zip(names, rows, strict=True)
        ]
    return predictions


def choices_of(config, card) -> Choices:
    """How new inputs are read to be what the model of a run takes.

    Args:
        config: The run's config.
        card: The card of its model.
    """
    choices = Choices(cache=False, **runs.choices_for(card.input_spec))
    if card.input_spec.kind != "image":
        return choices
    return dataclasses.replace(
        choices, keep_aspect_ratio=config.data.keep_aspect_ratio
    )


def read_files(files, config, card) -> np.ndarray:
    """Files as inputs for the model of a run, in one array.

    Args:
        files: Paths, as `files_of` gives them.
        config: The run's config.
        card: The card of its model.

    Returns:
        E.g. uint8 `[files, size, size, channels]`; of texts, strings.

    Raises:
        ValueError: If a file cannot be read. The message names it.
    """
    inputs = data_files.to_inputs(files, card.input_spec.kind)
    readers, _ = preparation.readers(
        {"train": inputs}, choices_of(config, card)
    )
    read = readers["train"].read_now(0, len(files)).numpy()
    if card.input_spec.kind != "text":
        return read
    return np.array([text.decode() for text in read], object)


def _probabilities(model, inputs, choices):
    """A row of probabilities for each input."""
    readers, _ = preparation.readers({"train": inputs}, choices)
    reader = readers["train"]
    [taken] = model.inputs

    @tf.function
    def probabilities_of(batch):
        if taken.dtype != "string":
            batch = tf.cast(batch, taken.dtype)
        return tf.nn.softmax(model(batch, training=False))

    for start in range(0, len(inputs), BATCH_SIZE):
        end = min(start + BATCH_SIZE, len(inputs))
        yield from probabilities_of(reader.read_now(start, end)).numpy()


def write_csv(predictions, path):
    """Writes predictions to a file, with a column per class.

    Args:
        predictions: What `predict` returned, at least one.
        path: The file, which is replaced.
    """
    class_names = list(predictions[0].probabilities)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["input", "class", "probability", *class_names])
        for row in predictions:
            writer.writerow(
                [row.input, row.class_name, row.probability]
                + list(row.probabilities.values())
            )


def files_of(path, kind: str) -> list[pathlib.Path]:
    """A file, or the files of a kind in a folder, in order of their names.

    Raises:
        ValueError: If a folder has no such file.
        FileNotFoundError: If there is no such file or folder.
    """
    path = pathlib.Path(path)
    wanted, example = _FILES[kind]
    if path.is_file():
        return [path]  # Whatever its name: it was named by the user.
    if not path.is_dir():
        raise FileNotFoundError(
            f"There is no file or folder {str(path)!r}. Expected {wanted}, "
            f"such as {example}, or a folder of them."
        )
    files = sorted(
        file
        for file in path.rglob("*")
        if data_files.kind_by_name(file) == kind
        and not _is_hidden_within(file, path)
        and file.is_file()
    )
    if not files:
        raise ValueError(
            f"The folder {str(path)!r} has no {wanted}. Expected names such "
            f"as {example}."
        )
    return files


def _is_hidden_within(file, folder) -> bool:
    parts = file.relative_to(folder).parts
    return any(data_files.is_hidden(pathlib.Path(part)) for part in parts)


def _prediction(name, row, class_names) -> Prediction:
    best = int(np.argmax(row))
    return Prediction(
        input=name,
        class_name=class_names[best],
        probability=float(row[best]),
        probabilities=dict(zip(class_names, map(float, row), strict=True)),
    )
