"""Work about what is kept: memory of a large cache, and repeated trainings."""

import gc
import time

import keras

from comparison import contestants
from comparison import networks
from comparison import processes
from comparison import work as works


def many_files(folder, image_size_px, cut, epochs, scratch):
    """Trains the tiny encoder on files, with results mapped from the disk."""
    import tl_keras
    from tl_keras.tuning import Phase

    def train():
        data = tl_keras.data.load(
            f"folder:{folder}", image_size=image_size_px, cache=False
        )
        head = tl_keras.heads.Classifier(data.num_classes)
        result = tl_keras.fit(
            tl_keras.build(tl_keras.encoders.load("tiny"), head),
            data,
            Phase(name="phase", train=cut, epochs=epochs),
            prefix_cache=tl_keras.PrefixCache(
                mode="always", folder=str(scratch), memory_gb=0.0
            ),
            verbose=0,
        )
        report = result.phases[0].prefix_cache
        return {
            "computed": report.computed,
            "bytes_per_example": report.bytes_per_example,
            "prefix_seconds": report.seconds,
        }

    return train


def repeat_tl_keras(work, files, scratch, count):
    """Trains one model by tl_keras again and again, with new seeds."""
    import tl_keras
    from tl_keras.tuning import Phase

    encoder = tl_keras.encoders.load(
        work.encoder, work.image_size_px, files.weights, **work.options
    )
    data = contestants.tl_keras_data(work, files)()
    head = tl_keras.heads.Classifier(works.NUM_CLASSES)
    phase = Phase(
        name="phase", train=work.cut, epochs=work.epochs, optimizer="adam"
    )
    cache = tl_keras.PrefixCache(folder=str(scratch))

    def train_all():
        model = tl_keras.build(encoder, head)
        start = model.get_weights()

        def train(seed):
            model.set_weights(start)
            tl_keras.fit(
                model, data, phase, seed=seed, prefix_cache=cache, verbose=0
            )

        return _trainings(train, count)

    return train_all


def repeat_keras(work, files, scratch, count):
    """Builds and trains a new model by the guide's recipe again and again.

    Keras' own state is cleared in between, as its documentation advises.
    """
    del scratch
    make_parts = contestants.datasets(work, files)

    def train_all():
        parts = make_parts()

        def train(seed):
            keras.backend.clear_session()
            base_model = networks.base(work, files.weights)
            model = networks.recipe(base_model, work.cut, seed)
            contestants.fit(model, [], work.epochs, parts)

        return _trainings(train, count)

    return train_all


def _trainings(train, count: int) -> dict:
    """Seconds of each training, and the anonymous memory behind it."""
    trainings = []
    for seed in range(count):
        began = time.perf_counter()
        train(seed)
        seconds = time.perf_counter() - began
        gc.collect()
        resident = processes.resident_mb()["RssAnon"]
        trainings.append({"train_seconds": seconds, "anonymous_mb": resident})
    return {"trainings": trainings}
