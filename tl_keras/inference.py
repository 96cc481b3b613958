"""What the model of a finished run says of labelled data and of images."""

import csv
import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from tl_keras import cards
from tl_keras import checks
from tl_keras import models
from tl_keras import runs
from tl_keras import workdirs
from tl_keras.data import files as data_files
from tl_keras.data import images as data_images
from tl_keras.evaluation import metrics

BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of one image; `print` shows it as a line.

    Attributes:
        path: The image's file.
        class_name: The class with the highest probability.
        probability: That probability, in [0, 1].
        probabilities: Class name to probability, in the order of the classes.
    """

    path: str
    class_name: str
    probability: float
    probabilities: dict[str, float] = dataclasses.field(repr=False)

    def __str__(self):
        return f"{self.path}\t{self.class_name}\t{self.probability:.4f}"


def evaluate(
    workdir, *, dataset=None, data_dir=None, split: str = "test"
) -> metrics.Evaluation:
    """Evaluates the model of a finished run, on its own or on other data.

    Args:
        workdir: The run's folder.
        dataset: Name of other data with the same classes. None: that of the
            run, split as it was.
        data_dir: Folder of prepared TensorFlow Datasets. None: that of the
            run.
        split: "test", "validation" or "train".

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: If there is no finished run, if the data has other classes
            or no such part.
    """
    checks.one_of(split, ("test", "validation", "train"), name="split")
    config = workdirs.read_config(workdir)
    model = models.load_model(workdirs.make(workdir).model)
    card = cards.of(model)
    data = runs.load_data(
        _data_config(config.data, dataset, data_dir),
        card.input_spec.size,
        config.seed,
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
    return metrics.evaluate(
        model, getattr(data, split), class_names=data.class_names
    )


def _data_config(config, dataset, data_dir):
    if dataset is None:
        return dataclasses.replace(config, data_dir=data_dir or config.data_dir)
    # Of other data, all is used, and a folder of the run's may not fit.
    return dataclasses.replace(
        config, name=dataset, data_dir=data_dir, train_examples=None
    )


def predict(workdir, paths) -> list[Prediction]:
    """Classifies images with the model of a finished run.

    Args:
        workdir: The run's folder.
        paths: Image files, or folders whose image files are all taken.

    Returns:
        A `Prediction` per image; the images of a folder in order of their
        names.

    Raises:
        ValueError: If there is no finished run, a folder has no image, or a
            file is no image (the message names it).
        FileNotFoundError: If there is no such file or folder.
    """
    config = workdirs.read_config(workdir)
    files = [file for path in paths for file in _image_files(path)]
    model = models.load_model(workdirs.make(workdir).model)
    card = cards.of(model)

    @tf.function
    def probabilities_of(images):
        logits = model(tf.cast(images, tf.float32), training=False)
        return tf.nn.softmax(logits)

    predictions = []
    for start in range(0, len(files), BATCH_SIZE):
        part = files[start : start + BATCH_SIZE]
        images = [_read(file, card, config.data) for file in part]
        rows = probabilities_of(tf.stack(images)).numpy()
        predictions += [
            _prediction(file, row, card.class_names)
            for file, row in zip(part, rows, strict=True)
        ]
    return predictions


def write_csv(predictions, path):
    """Writes predictions to a file, with a column per class.

    Args:
        predictions: What `predict` returned, at least one.
        path: The file, which is replaced.
    """
    class_names = list(predictions[0].probabilities)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "class", "probability", *class_names])
        for row in predictions:
            writer.writerow(
                [row.path, row.class_name, row.probability]
                + list(row.probabilities.values())
            )


def _image_files(path) -> list[pathlib.Path]:
    path = pathlib.Path(path)
    if path.is_file():
        return [path]  # Whatever its name: it was named by the user.
    if not path.is_dir():
        raise FileNotFoundError(
            f"There is no image or folder {str(path)!r}. Expected an image "
            "file, or a folder of images."
        )
    files = sorted(
        file
        for file in path.rglob("*")
        if data_files.has_image_name(file)
        and not data_files.is_hidden(file)
        and file.is_file()
    )
    if not files:
        raise ValueError(
            f"The folder {str(path)!r} has no images. Expected files with the "
            "names of images, such as photograph.jpg."
        )
    return files


def _read(file, card, data_config):
    """One image as the model takes it, uint8 [size, size, channels]."""
    try:
        image = data_images.decode(file.read_bytes(), card.input_spec.channels)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"{file} cannot be decoded. {data_files.EXPECTED}"
        ) from error
    return data_images.resize(
        image, card.input_spec.size, data_config.keep_aspect_ratio
    )


def _prediction(file, row, class_names) -> Prediction:
    best = int(np.argmax(row))
    return Prediction(
        path=str(file),
        class_name=class_names[best],
        probability=float(row[best]),
        probabilities=dict(zip(class_names, map(float, row), strict=True)),
    )
