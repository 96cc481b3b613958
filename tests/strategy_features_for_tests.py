"""What `fit` and its like do under a strategy, as a program.

    python strategy_features_for_tests.py ours OUT FEATURE ...
    python strategy_features_for_tests.py keras OUT FEATURE ...

The strategy is that of several workers where `TF_CONFIG` is set, else of as
many replicas as `REPLICAS` says, else one device. What a feature gives is in
OUT/FEATURE-WORKER.npz; an error is in OUT/FEATURE-WORKER.txt. MODULES is a
folder for TF Hub modules, which a run on one device has to fill before others,
SHARED_FOLDER one that the workers of a run share.

Each feature gives arrays that are to be equal under every strategy: losses and
weights. "keras" does the same with `model.fit` and nothing of tl_keras.
"""

import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

if "TF_CONFIG" not in os.environ and "REPLICAS" in os.environ:
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * int(os.environ["REPLICAS"]),
    )

import keras
import modules_for_tests
import numpy as np

import tl_keras
from tl_keras import input_specs
from tl_keras.encoders.encoder import Encoder
from tl_keras.evaluation import predictions
from tl_keras.training import step_trial
from tl_keras.training import workers
from tl_keras.tuning import Phase
from tl_keras.tuning import Plan

SIZE = 8
BATCH_SIZE = 12
WORDS = ("good", "bad", "film", "a", "the", "very")


def strategy_name() -> str:
    if "TF_CONFIG" in os.environ:
        return "multiworker"
    return "mirrored" if "REPLICAS" in os.environ else "none"


def examples(count, seed=0):
    """Images and classes that can be learned."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = (
        draw.integers(0, 256, (count, SIZE, SIZE, 3))
        // (1 + labels)[:, None, None, None]
    )
    return images.astype("uint8"), labels


def texts(count):
    draw = np.random.default_rng(0)
    labels = np.arange(count) % 2
    return [
        f"{WORDS[label]} {' '.join(draw.choice(WORDS, 3))}" for label in labels
    ], labels


def network(batch_norm=False):
    """Images to a vector, in layers called a and b."""
    inputs = keras.Input((SIZE, SIZE, 3))
    values = keras.layers.Rescaling(1 / 255)(inputs)
    values = keras.layers.Conv2D(
        4, 3, 2, activation="relu", name="a", kernel_initializer=initial(1)
    )(values)
    if batch_norm:
        values = keras.layers.BatchNormalization(name="norm")(values)
    values = keras.layers.Conv2D(
        6, 3, activation="relu", name="b", kernel_initializer=initial(2)
    )(values)
    return keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(values))


def initial(seed):
    return keras.initializers.GlorotUniform(seed=seed)


def image_model(policy=None):
    encoder = tl_keras.encoders.from_model(
        network(), "in_model", {"first": ["a"], "second": ["b"]}
    )
    head = tl_keras.heads.Classifier(num_classes=2)
    return tl_keras.build(encoder, head, dtype_policy=policy)


def image_data(train=48, validation=24, batch_size=BATCH_SIZE):
    return tl_keras.data.from_arrays(
        examples(train), examples(validation, 1), batch_size=batch_size
    )


def phase(name="all", **options):
    options = {"epochs": 2, "learning_rate": 0.05, **options}
    return Phase(name=name, optimizer="sgd", **options)


def trained(model, data, plan=None, **options) -> dict:
    """Losses and weights after a `fit` that has to be the same anywhere."""
    options = {"prefix_cache": "never", "verbose": 0, **options}
    result = tl_keras.fit(
        model, data, plan or phase(), range_probe="off", **options
    )
    history = result.history
    names = [name for name in ("loss", "val_loss") if name in history[0]]
    return {
        "losses": [[row[name] for name in names] for row in history],
        **weights_of(model),
    }


def weights_of(model):
    return {
        f"weight {number}": value
        for number, value in enumerate(model.get_weights())
    }


def fit():
    return trained(image_model(), image_data())


def uneven_last_batch():
    # Of 5 examples, which 2, 3 or 4 replicas cannot share evenly.
    return trained(image_model(), image_data(29, 17))


def batch_smaller_than_replicas():
    # A last batch of 1 example.
    return trained(image_model(), image_data(25, 13))


def dataset():
    """A bare `tf.data.Dataset` with weights, in uneven batches."""
    images, labels = examples(29)
    weights = np.linspace(0.5, 1.5, 29, dtype="float32")
    batches = tf.data.Dataset.from_tensor_slices((images, labels, weights))
    return trained(image_model(), batches.batch(BATCH_SIZE))


def augmentation():
    """Images that are mixed with the next ones, and weighted classes."""
    mixed = tl_keras.data.Augmentation(flip=True, mixup=0.4, cutmix=0.5)
    return trained(
        image_model(),
        image_data(29, 17),
        phase(augmentation=mixed, label_smoothing=0.1),
        class_weight={0: 2.0},
    )


def evaluate():
    evaluation = tl_keras.evaluate(image_model(), image_data(12, 17).validation)
    return {
        "log loss": evaluation.log_loss,
        "confusion": evaluation.confusion_matrix,
    }


def predict():
    probabilities, labels = predictions.predict_probabilities(
        image_model(), image_data(12, 17).validation
    )
    return {"probabilities": probabilities, "labels": labels}


def batch_norm():
    """BatchNormalization in training mode, where a replica has no example.

    Its statistics are those of a replica's part; nothing may become NaN.
    """
    inputs = network(batch_norm=True)
    encoder = tl_keras.encoders.from_model(
        inputs, "in_model", {"body": ["a", "norm", "b"]}
    )
    model = tl_keras.build(encoder, tl_keras.heads.Classifier(num_classes=2))
    found = trained(model, image_data(25, 13))
    finite = all(np.isfinite(value).all() for value in found.values())
    return {"finite": finite}


def text():
    """Strings, tokenised in the model."""
    spec = input_specs.TextSpec()
    words = keras.layers.TextVectorization(
        vocabulary=list(WORDS), output_sequence_length=5, name="words"
    )
    inputs = keras.Input((), dtype="string")
    values = keras.layers.Embedding(
        10, 4, name="rows", embeddings_initializer=initial(1)
    )(words(inputs))
    values = keras.layers.GlobalAveragePooling1D()(values)
    encoder = Encoder(
        name="words",
        model=keras.Model(inputs, values),
        groups={"rows": ("rows",)},
        input_spec=spec,
        preprocessing="custom",
        preprocessing_output="words",
    )
    model = tl_keras.build(encoder, tl_keras.heads.Classifier(num_classes=2))
    data = tl_keras.data.from_arrays(
        texts(29), texts(17), batch_size=BATCH_SIZE
    )
    return trained(model, data)


def hub_strings():
    """Strings that reach a TF Hub module in the step, whose table trains."""
    module = module_of("text_module")
    encoder = tl_keras.encoders.load(f"hub:{module}")
    model = tl_keras.build(encoder, tl_keras.heads.Classifier(num_classes=2))
    data = tl_keras.data.from_arrays(
        texts(29), texts(17), batch_size=BATCH_SIZE
    )
    return trained(model, data)


def hub_encoder():
    module = module_of("image_module")
    encoder = tl_keras.encoders.load(f"hub:{module}")
    model = tl_keras.build(encoder, tl_keras.heads.Classifier(num_classes=2))
    return trained(model, image_data(29, 17), phase(batch_norm="inference"))


def steps_per_execution():
    """Four steps at a time, with a fifth of 5 examples at the epoch's end."""
    before = step_trial.FEWEST_STEPS, step_trial.choose
    step_trial.FEWEST_STEPS = 1
    step_trial.choose = lambda *_: {
        "steps_per_execution": 4,
        "jit_compile": False,
    }
    try:
        return trained(image_model(), image_data(53, 17))
    finally:
        step_trial.FEWEST_STEPS, step_trial.choose = before


def accumulation():
    """Batches computed in two parts, the last one of 5 examples."""
    return trained(image_model(), image_data(29, 17), phase(micro_batches=2))


def averaged_weights():
    return trained(
        image_model(), image_data(29, 17), phase(weights_average=0.9)
    )


def mixed_precision():
    return trained(image_model("mixed_bfloat16"), image_data(29, 17))


def float16():
    return trained(image_model("mixed_float16"), image_data(29, 17))


def prefix_cache():
    flips = tl_keras.data.Augmentation(flip=True)
    phases = [
        phase("head", train="head", augmentation=flips),
        phase("top", train="last 1", augmentation=flips),
    ]
    return trained(
        image_model(),
        image_data(29, 17),
        Plan("two", phases),
        prefix_cache=tl_keras.PrefixCache(
            mode="always", folder=folder("cache")
        ),
    )


class Crash(keras.callbacks.Callback):
    """Ends a training behind some steps as a crash would."""

    def __init__(self, steps):
        super().__init__()
        self._left = steps

    def on_train_batch_end(self, batch, logs=None):
        self._left -= 1
        if not self._left:
            raise ZeroDivisionError


def resume():
    """A crash at step 8 of 12, and going on from the checkpoint before it."""
    plan = Plan("two", [phase("head", train="head"), phase("all")])
    options = {
        "workdir": folder("workdir"),
        "checkpoints": tl_keras.Checkpoints(steps=1),
    }
    try:
        trained(
            image_model(),
            image_data(29, 17),
            plan,
            callbacks=[Crash(8)],
            **options,
        )
    except ZeroDivisionError:
        pass
    return trained(image_model(), image_data(29, 17), plan, **options)


def export():
    """The chief saves; the file and the export answer as the model does."""
    model = image_model()
    trained(model, image_data(24, 12), phase(epochs=1))
    place, strategy = folder("export"), tf.distribute.get_strategy()
    images = examples(5)[0]

    def write():
        path = tl_keras.save(model, f"{place}/model.keras")
        tl_keras.serving.export(
            model, f"{place}/served", class_names=("x", "y"), check=False
        )
        return str(path)

    return lambda: _exported(workers.from_chief(write, strategy), images)


def _exported(path, images):
    reloaded = tl_keras.load_model(path)
    served = tf.saved_model.load(pathlib.Path(path).parent / "served" / "1")
    signature = served.signatures["pixels"]
    (name,) = signature.structured_input_signature[1]
    outputs = signature(**{name: tf.constant(images)})
    return {
        "reloaded": reloaded(images).numpy(),
        "served": outputs["probabilities"].numpy(),
        **weights_of(reloaded),
    }


def module_of(name) -> str:
    """A TF Hub module, which the first run makes, on one device."""
    path = pathlib.Path(os.environ["MODULES"]) / name
    if path.exists():
        return str(path)
    return getattr(modules_for_tests, name)(str(path))


def folder(name) -> str:
    """A folder that all workers of a run share, and no other run."""
    shared = os.environ.get("SHARED_FOLDER") or tempfile.mkdtemp()
    path = pathlib.Path(shared) / sys._getframe(1).f_code.co_name / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


OURS = {
    function.__name__: function
    for function in (
        fit,
        evaluate,
        predict,
        text,
        hub_strings,
        uneven_last_batch,
        batch_smaller_than_replicas,
        batch_norm,
        dataset,
        augmentation,
        steps_per_execution,
        accumulation,
        averaged_weights,
        mixed_precision,
        float16,
        prefix_cache,
        resume,
        hub_encoder,
        export,
    )
}


def main(whose, out, *names):
    if whose == "keras":
        import stock_features_for_tests

        features = stock_features_for_tests.STOCK
    else:
        features = OURS
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        with tl_keras.strategy(strategy_name()):
            number = workers.index()
            if strategy_name() == "none":
                keras.utils.set_random_seed(0)
            try:
                found = features[name]()
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                (out / f"{name}-{number}.txt").write_text(text)
                # A worker that goes on alone would wait for the others.
                if strategy_name() == "multiworker" and whose == "ours":
                    raise
                continue
        if callable(found):
            found = found()
        np.savez(out / f"{name}-{number}.npz", **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
