"""The contestants: the same training by tl_keras, and by plain Keras.

Each function takes a `Work`, its `Files` and an empty folder, makes what the
user is taken to have (images and a base model), and returns the training
itself without arguments. That gives a dict: `trained_parameters`, `steps`,
`epochs` (one dict each: `seconds` since the beginning, and Keras' logs),
`seconds_to_training`, and more by contestant.
"""

import time

import keras
import numpy as np
import tensorflow as tf

from comparison import networks
from comparison import work as works

LEARNING_RATE = 1e-3
# Of the second part of the guide's recipe.
LOW_RATE = 1e-5
_PREFIX_BATCH = 256


def prepare(name: str, *arguments):
    """The training of a contestant, by its name."""
    return CONTESTANTS[name](*arguments)


class Clock(keras.callbacks.Callback):
    """When epochs ended, and what they brought. It begins when it is made."""

    def __init__(self):
        super().__init__()
        self.began = time.perf_counter()
        self.epochs = []
        self.steps = 0
        self.seconds_to_training = None

    def on_train_begin(self, logs=None):
        if self.seconds_to_training is None:
            self.seconds_to_training = time.perf_counter() - self.began

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.began
        values = {name: float(value) for name, value in logs.items()}
        self.epochs.append({"seconds": seconds, **values})

    def on_train_end(self, logs=None):
        self.steps += int(self.model.optimizer.iterations)

    def report(self, trained_parameters: int) -> dict:
        return {
            "trained_parameters": trained_parameters,
            "steps": self.steps,
            "epochs": self.epochs,
            "seconds_to_training": self.seconds_to_training,
        }


def tl_keras_phase(work, files, scratch):
    """`tl_keras.fit` with its defaults, and Adam as the others have it."""
    from tl_keras.tuning import Phase

    # What Keras' Adam leaves out: weight decay, clipping, a falling rate.
    phase = Phase(
        name="phase",
        train=work.cut,
        epochs=work.epochs,
        learning_rate=LEARNING_RATE,
        optimizer="adam",
        weight_decay=0.0,
        clip_norm=None,
        schedule="constant",
    )
    return _tl_keras(work, files, scratch, phase)


def tl_keras_plan(work, files, scratch, head_epochs, tuning_epochs):
    """`tl_keras.fit` by its default plan, head_then_top."""
    import tl_keras

    plan = tl_keras.plans.head_then_top(head_epochs, tuning_epochs)
    return _tl_keras(work, files, scratch, plan)


def _tl_keras(work, files, scratch, plan):
    import tl_keras

    encoder = tl_keras.encoders.load(
        work.encoder, work.image_size_px, files.weights, **work.options
    )
    make_data = tl_keras_data(work, files)
    head = tl_keras.heads.Classifier(works.NUM_CLASSES, work.hidden_units)
    cache = tl_keras.PrefixCache(folder=str(scratch))
    # Asked for here, since these names import what they stand for.
    build, fit_by_plan = tl_keras.build, tl_keras.fit

    def train():
        clock = Clock()
        data = make_data()
        model = build(encoder, head, seed=work.seed)
        before = time.perf_counter() - clock.began
        result = fit_by_plan(
            model,
            data,
            plan,
            seed=work.seed,
            callbacks=[clock],
            prefix_cache=cache,
            verbose=0,
        )
        first = result.phases[0].prefix_cache
        waiting = [row["waiting"] for row in result.history]
        return {
            **clock.report(result.trained_parameters),
            "seconds_before_fit": before,
            "waiting": float(np.median(waiting)),
            "prefix": {
                "used": first.used,
                "reason": first.reason,
                "cut": first.cut,
                "bytes_per_example": first.bytes_per_example,
                "computed": first.computed,
                "seconds": first.seconds,
            },
        }

    return train


def prepare_arrays(name, data_dir, work, validation_fraction, folder):
    """A function that writes a data set of ten classes as arrays."""
    import tl_keras

    def write():
        data = tl_keras.data.load(
            name,
            image_size=work.image_size_px,
            train_examples=work.images,
            validation_fraction=validation_fraction,
            data_dir=data_dir,
        )
        folder.mkdir(parents=True)
        for split in ("train", "validation"):
            batches = data.evaluation_batches(split).as_numpy_iterator()
            images, labels = map(np.concatenate, zip(*batches, strict=True))
            np.save(folder / f"{split}_images.npy", images)
            np.save(folder / f"{split}_labels.npy", labels)
        return {}

    return write


def tl_keras_data(work, files):
    """A function that makes the `Data` of some work."""
    from tl_keras import data

    options = {"batch_size": work.batch_size, "seed": work.seed}
    if work.source == "disk":
        return lambda: data.load(
            f"folder:{files.folder}", image_size=work.image_size_px, **options
        )
    train, validation = files.arrays("train"), files.arrays("validation")
    return lambda: data.from_arrays(train, validation, **options)


def guide(work, files, scratch):
    """The recipe of the Keras guide to transfer learning.

    Reference:
        https://keras.io/guides/transfer_learning/
    """
    del scratch
    base_model = networks.base(work, files.weights)
    make_parts = datasets(work, files)

    def train():
        clock = Clock()
        parts = make_parts()
        model = networks.recipe(base_model, work.cut, work.seed)
        fit(model, [clock], work.epochs, parts)
        return clock.report(_count(model.trainable_weights))

    return train


def guide_twice(work, files, scratch, head_epochs, tuning_epochs):
    """The guide's whole recipe: the head, then everything at a low rate.

    BatchNormalization stays in inference mode, as the guide advises.
    """
    del scratch
    base_model = networks.base(work, files.weights)
    make_parts = datasets(work, files)

    def train():
        clock = Clock()
        parts = make_parts()
        model = networks.recipe(base_model, "head", work.seed)
        fit(model, [clock], head_epochs, parts)
        base_model.trainable = True
        fit(model, [clock], tuning_epochs, parts, LOW_RATE)
        return clock.report(_count(model.trainable_weights))

    return train


def keras_hub(work, files, scratch):
    """`ImageClassifier.fit` of KerasHub, with random weights."""
    del scratch
    import keras_hub as hub

    backbone = networks.hub_backbone(work)
    make_parts = datasets(work, files)

    def train():
        clock = Clock()
        parts = make_parts()
        converter = hub.layers.ImageConverter(
            image_size=(work.image_size_px, work.image_size_px),
            scale=1 / 127.5,
            offset=-1.0,
        )
        backbone.trainable = work.cut == "all"
        model = hub.models.ImageClassifier(
            backbone,
            works.NUM_CLASSES,
            preprocessor=hub.models.ImageClassifierPreprocessor(converter),
            activation=None,
        )
        fit(model, [clock], work.epochs, parts)
        return clock.report(_count(model.trainable_weights))

    return train


def limit(work, files, scratch):
    """The frozen part once for each image, then the rest on arrays.

    Where everything trains, it is plain Keras on arrays.
    """
    del scratch
    base_model = networks.base(work, files.weights)
    read = _arrays(work, files)

    def train():
        clock = Clock()
        parts = [read("train"), read("validation")]
        if work.cut == "all":
            model = networks.recipe(base_model, "all", work.seed)
        else:
            prefix, model = networks.split(base_model, work.cut, work.seed)
            parts = [
                (prefix.predict(images, _PREFIX_BATCH, verbose=0), labels)
                for images, labels in parts
            ]
        fit(model, [clock], work.epochs, parts, batch_size=work.batch_size)
        return clock.report(_count(model.trainable_weights))

    return train


CONTESTANTS = {
    "tl_keras": tl_keras_phase,
    "guide": guide,
    "keras_hub": keras_hub,
    "limit": limit,
    "tl_keras_plan": tl_keras_plan,
    "guide_twice": guide_twice,
}


def fit(model, callbacks, epochs, parts, rate=LEARNING_RATE, batch_size=None):
    """Plain Keras on a training and a validation part.

    The parts are datasets of batches, or with `batch_size` pairs of arrays.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    train, validation = parts
    inputs = {"x": train}
    if batch_size is not None:
        inputs = {"x": train[0], "y": train[1], "batch_size": batch_size}
    model.fit(
        **inputs,
        epochs=epochs,
        validation_data=validation,
        callbacks=callbacks,
        verbose=0,
    )


def datasets(work, files):
    """A function that makes tf.data pipelines, the way the guide has them."""
    make = _slices(work, files)

    def make_batches():
        train, validation = make()
        train = train.shuffle(work.images, seed=work.seed)
        return [
            part.batch(work.batch_size).prefetch(tf.data.AUTOTUNE)
            for part in (train, validation)
        ]

    return make_batches


def _slices(work, files):
    """A function that makes datasets of single images with their labels."""
    splits = ("train", "validation")
    if work.source == "disk":
        # As in the guide, decoded images are kept.
        return lambda: [_from_files(work, files, s).cache() for s in splits]
    arrays = [files.arrays(split) for split in splits]
    return lambda: list(map(tf.data.Dataset.from_tensor_slices, arrays))


def _from_files(work, files, split):
    images = keras.utils.image_dataset_from_directory(
        files.folder / split,
        image_size=(work.image_size_px, work.image_size_px),
        batch_size=None,
        shuffle=False,
        verbose=False,
    )
    return images.map(
        lambda image, label: (tf.cast(image, tf.uint8), label),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def _arrays(work, files):
    """A function from a split to its images and labels as arrays."""
    if work.source == "memory":
        arrays = {s: files.arrays(s) for s in ("train", "validation")}
        return arrays.__getitem__

    def read(split):
        batches = _from_files(work, files, split).batch(_PREFIX_BATCH)
        images, labels = zip(*batches.as_numpy_iterator(), strict=True)
        return np.concatenate(images), np.concatenate(labels)

    return read


def _count(weights) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)
