"""Checks the encoders of all `keras.applications` against plain Keras.

    python benchmarks/check_applications.py [--models=MobileNetV2,VGG16]

For each model, one after the other in a process of its own: random weights,
two random images, and the largest difference between the encoder's features
and those of the plain model after its `preprocess_input`, relative to the
largest feature. Then the same for grey images, repeated three times for plain
Keras, and for a fourth channel, which at first must change nothing. The
encoder itself checks that its groups hold every layer with weights once, in
graph order. The last line says how many models differ by more than 1e-4, and
the exit code is 1 if any does.

The largest model takes 8 GB of memory; all 40 took 30 minutes on two busy
cores.
"""

import multiprocessing
import resource
import sys
import time

import numpy as np
from absl import app
from absl import flags

_MODELS = flags.DEFINE_list("models", None, "Names; default: all 40.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 96, "In pixels.", 75)

TOLERANCE = 1e-4


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    from tl_keras.encoders import applications

    names = _MODELS.value or applications.names()
    context = multiprocessing.get_context("spawn")
    print(
        "model               prep.     size  least  width  groups  "
        "RGB      grey     4th      memory  seconds"
    )
    failed = []
    for name in names:
        # A process each, since Keras does not give all memory back.
        with context.Pool(1) as pool:
            row = pool.apply(check, (name, _IMAGE_SIZE.value))
        print(
            "{name:18}  {preprocessing:8}  {default_size:4}  {min_size:5}  "
            "{width:5}  {groups:6}  {rgb:.1e}  {grey:.1e}  {fourth:.1e}  "
            "{gigabytes:3.1f} GB  {seconds:7.1f}".format(**row),
            flush=True,
        )
        if max(row["rgb"], row["grey"], row["fourth"]) > TOLERANCE:
            failed.append(name)
    print(f"{len(names)} models, {len(failed)} above {TOLERANCE}: {failed}")
    sys.exit(bool(failed))


def check(name: str, image_size: int) -> dict:
    """One row of the table: see the top of this file."""
    import keras

    from tl_keras.encoders import applications

    start = time.perf_counter()
    keras.utils.set_random_seed(0)
    shape = (2, image_size, image_size, 4)
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
    function = getattr(keras.applications, name)
    plain = function(
        include_top=False, weights=None, input_shape=(*shape[1:3], 3)
    )
    module_name = function.__module__.rpartition(".")[2]
    preprocess_input = getattr(keras.applications, module_name).preprocess_input

    def difference(channels, rgb):
        encoder = applications.load(
            name, image_size, weights=None, channels=channels
        )
        _copy_weights(plain, encoder.model)
        expected = np.asarray(plain(preprocess_input(rgb.copy())))
        # Else any answer would be right.
        assert abs(expected[0] - expected[1]).max() > 0
        actual = np.asarray(encoder.model(pixels[..., :channels]))
        return float(abs(actual - expected).max() / abs(expected).max())

    encoder = applications.load(name, image_size, weights=None)
    row = {
        "name": name,
        "preprocessing": encoder.preprocessing,
        "default_size": applications.image_sizes(name)[0],
        "min_size": encoder.min_image_size,
        "width": encoder.feature_width,
        "groups": len(encoder.groups),
    }
    del encoder
    row["rgb"] = difference(3, pixels[..., :3])
    row["grey"] = difference(1, np.repeat(pixels[..., :1], 3, axis=-1))
    row["fourth"] = difference(4, pixels[..., :3])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row["gigabytes"] = memory / 1e6
    row["seconds"] = time.perf_counter() - start
    return row


def _copy_weights(source, target):
    """Into a model whose first kernel may be wider; the rest of it stays."""
    pairs = zip(
        [layer for layer in source.layers if layer.weights],
        [layer for layer in target.layers if layer.weights],
        strict=True,
    )
    for one, other in pairs:
        for value, variable in zip(one.weights, other.weights, strict=True):
            value = np.asarray(value)
            if value.shape != variable.shape:
                wider = np.array(variable)
                wider[:, :, : value.shape[2]] = value
                value = wider
            variable.assign(value)


if __name__ == "__main__":
    app.run(main)
