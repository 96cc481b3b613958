"""The latency of a SavedModel beside decoding in Python.

Builds MobileNetV2 (alpha 0.35, random weights, 96 px), exports it, and
loads the SavedModel. Asks, in turn, for the classes of the same JPEG files
(500 x 375 px) in batches of 1 and 32:

- `saved_model`: the signature `serving_default`, bytes in, names out;
- `python`: Pillow, where it is installed, else `tf.io`, decodes and resizes
  each file; `keras.Model.predict_on_batch` has the rest.

Both run in this process, without a server. Prints the latencies' median and
99th percentile, the ratio of the pairs, and how far the probabilities are
apart: Pillow decodes and resizes with other roundings than TensorFlow, up to
4 of 255, and random weights make much of it.

    python benchmarks/serving_latency.py
"""

import io
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

import tl_keras

try:
    from PIL import Image
except ImportError:
    Image = None

_ROUNDS = flags.DEFINE_integer("rounds", 300, "How often.", lower_bound=1)
_BATCH_SIZES = (1, 32)
_IMAGE_SIZE_PX = 96
_FILE_HEIGHT_PX, _FILE_WIDTH_PX = 375, 500
# Until TensorFlow has chosen its kernels and its memory.
_WARMUP_ROUNDS = 5


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    # Of each captured variable, TensorFlow would print a line.
    logging.set_verbosity(logging.ERROR)
    model = network()
    with tempfile.TemporaryDirectory() as directory:
        path = tl_keras.serving.export(model, directory, check=False)
        loaded = tf.saved_model.load(str(path))
    contestants = {
        "saved_model": lambda files: served(loaded, files),
        "python": lambda files: by_hand(model, files),
    }
    print(f"python decodes by {'tf.io' if Image is None else 'Pillow'}")
    for batch_size in _BATCH_SIZES:
        files = jpegs(batch_size)
        seconds, apart = measure(contestants, files, _ROUNDS.value)
        report(batch_size, seconds, apart)


def network():
    """A model as `build` makes it, whose head tells images apart."""
    keras.utils.set_random_seed(0)
    encoder = tl_keras.encoders.load(
        "MobileNetV2", _IMAGE_SIZE_PX, None, alpha=0.35
    )
    model = tl_keras.build(encoder, tl_keras.heads.Classifier(num_classes=10))
    kernel = model.layers[-1].kernel
    rng = np.random.default_rng(0)
    kernel.assign(rng.normal(size=kernel.shape, scale=0.05))
    # Random weights come with statistics of nothing: features would be zero.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(np.stack([decode(file) for file in jpegs(32)]), training=True)
    return model


def served(loaded, files) -> np.ndarray:
    """Probabilities by the signature that a server would run."""
    signature = loaded.signatures["serving_default"]
    outputs = signature(image_bytes=tf.constant(files))
    # A server sends all of them.
    return {name: value.numpy() for name, value in outputs.items()}[
        "probabilities"
    ]


def by_hand(model, files) -> np.ndarray:
    """Probabilities by a service that is written in Python."""
    images = np.stack([decode(file) for file in files])
    logits = model.predict_on_batch(images.astype("float32"))
    return tf.nn.softmax(logits).numpy()


def decode(file: bytes) -> np.ndarray:
    """One image at the model's size, uint8."""
    size = (_IMAGE_SIZE_PX, _IMAGE_SIZE_PX)
    if Image is not None:
        image = Image.open(io.BytesIO(file)).convert("RGB")
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    image = tf.io.decode_jpeg(file, 3)
    resized = tf.image.resize(image, size, antialias=True)
    return np.round(resized.numpy()).astype("uint8")


def jpegs(number: int) -> list[bytes]:
    """Files of soft colours: noise would not compress as photographs do."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (number, 12, 16, 3))
    shape = (_FILE_HEIGHT_PX, _FILE_WIDTH_PX)
    images = tf.cast(tf.image.resize(coarse, shape, "bicubic"), tf.int32)
    images = tf.cast(tf.clip_by_value(images, 0, 255), tf.uint8)
    return [tf.io.encode_jpeg(image).numpy() for image in images]


def measure(contestants, files, rounds):
    """Seconds of each round by name, and how far the answers are apart."""
    answers = [ask(files) for ask in contestants.values()]
    for _ in range(_WARMUP_ROUNDS):
        for ask in contestants.values():
            ask(files)
    seconds = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, ask in contestants.items():
            began = time.perf_counter()
            ask(files)
            seconds[name].append(time.perf_counter() - began)
    return seconds, np.abs(answers[0] - answers[1]).max()


def report(batch_size, seconds, apart):
    for name, times in seconds.items():
        median, late = np.percentile(1000 * np.array(times), [50, 99])
        print(
            f"batch {batch_size}, {name}: p50 {median:.1f} ms, "
            f"p99 {late:.1f} ms"
        )
    ratios = np.array(seconds["python"]) / np.array(seconds["saved_model"])
    low, median, high = np.percentile(ratios, [5, 50, 95])
    print(
        f"batch {batch_size}, python / saved_model: {median:.2f} "
        f"[{low:.2f} ... {high:.2f}, 90 % of {len(ratios)} pairs]; "
        f"probabilities at most {apart:.1e} apart"
    )


if __name__ == "__main__":
    app.run(main)
