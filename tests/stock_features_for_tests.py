"""The features of `strategy_features_for_tests.py` with plain Keras alone."""

import pathlib
import tempfile

import keras
import numpy as np
import strategy_features_for_tests as features
import tensorflow as tf


def _model(batch_norm=False, **options):
    encoder = features.network(batch_norm)
    outputs = keras.layers.Dense(
        2, "softmax", dtype="float32", kernel_initializer=features.initial(3)
    )(encoder.output)
    return _compiled(keras.Model(encoder.input, outputs), **options)


def _compiled(model, optimizer=None, **options):
    model.compile(
        optimizer or keras.optimizers.SGD(0.05, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        **options,
    )
    return model


def _batches(count, seed=0, batch_size=features.BATCH_SIZE):
    return tf.data.Dataset.from_tensor_slices(
        features.examples(count, seed)
    ).batch(batch_size)


def _trained(model, batches, validation=None, **options):
    history = model.fit(
        batches,
        validation_data=validation,
        epochs=2,
        shuffle=False,
        verbose=0,
        **options,
    ).history
    names = [name for name in ("loss", "val_loss") if name in history]
    return {
        "losses": np.array([history[name] for name in names]).T,
        **features.weights_of(model),
    }


def fit():
    return _trained(_model(), _batches(48), _batches(24, 1))


def evaluate():
    return {"scores": _model().evaluate(_batches(17, 1), verbose=0)}


def predict():
    inputs = _batches(17, 1).map(lambda images, _: images)
    return {"probabilities": _model().predict(inputs, verbose=0)}


def text():
    words = keras.layers.TextVectorization(
        vocabulary=list(features.WORDS), output_sequence_length=5
    )
    inputs = keras.Input((), dtype="string")
    values = keras.layers.Embedding(
        10, 4, embeddings_initializer=features.initial(1)
    )(words(inputs))
    values = keras.layers.GlobalAveragePooling1D()(values)
    outputs = keras.layers.Dense(
        2, "softmax", kernel_initializer=features.initial(3)
    )(values)
    batches = tf.data.Dataset.from_tensor_slices(features.texts(29))
    model = _compiled(keras.Model(inputs, outputs))
    return _trained(model, batches.batch(features.BATCH_SIZE))


def hub_strings():
    return _hub("text_module", (), tf.string)


def hub_encoder():
    return _hub("image_module", (features.SIZE, features.SIZE, 3), tf.float32)


def _hub(name, shape, dtype):
    import tensorflow_hub as hub

    layer = hub.KerasLayer(
        features.module_of(name), trainable=True, dtype=dtype
    )
    inputs = keras.Input(shape, dtype=dtype.name)
    outputs = keras.layers.Dense(2, "softmax")(layer(inputs))
    return _trained(_compiled(keras.Model(inputs, outputs)), _batches(29))


def uneven_last_batch():
    return _trained(_model(), _batches(29), _batches(17, 1))


def batch_smaller_than_replicas():
    return _trained(_model(), _batches(25), _batches(13, 1))


def batch_norm():
    return _trained(_model(batch_norm=True), _batches(25))


def dataset():
    images, labels = features.examples(29)
    weights = np.linspace(0.5, 1.5, 29, dtype="float32")
    batches = tf.data.Dataset.from_tensor_slices((images, labels, weights))
    return _trained(_model(), batches.batch(features.BATCH_SIZE))


def augmentation():
    """Mixing needs the labels of two examples: `fit` has nothing for it."""
    raise NotImplementedError("no augmentation by example")


def steps_per_execution():
    return _trained(
        _model(steps_per_execution=4), _batches(53), _batches(17, 1)
    )


def mixed_precision():
    return _mixed("mixed_bfloat16")


def float16():
    return _mixed("mixed_float16")


def _mixed(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return _trained(_model(), _batches(29), _batches(17, 1))
    finally:
        keras.config.set_dtype_policy(before)


def prefix_cache():
    raise NotImplementedError("no prefix cache")


def resume():
    """A crash at step 5 of 6, and going on by `BackupAndRestore`."""
    folder = features.folder("backup")

    def attempt(*others):
        backup = keras.callbacks.BackupAndRestore(folder, save_freq=1)
        return _trained(_model(), _batches(29), callbacks=[backup, *others])

    try:
        attempt(features.Crash(5))
    except ZeroDivisionError:
        pass
    return attempt()


def accumulation():
    optimizer = keras.optimizers.SGD(0.05, gradient_accumulation_steps=2)
    return _trained(_model(optimizer=optimizer), _batches(48))


def averaged_weights():
    optimizer = keras.optimizers.SGD(
        0.05, use_ema=True, ema_overwrite_frequency=2
    )
    return _trained(_model(optimizer=optimizer), _batches(48))


def export():
    """Each worker has to save, into a folder of its own."""
    model = _model()
    _trained(model, _batches(24), _batches(12, 1))
    folder = pathlib.Path(tempfile.mkdtemp())
    model.save(folder / "model.keras")
    model.export(folder / "served", verbose=False)
    images = features.examples(5)[0].astype("float32")
    served = tf.saved_model.load(folder / "served")
    return {
        "reloaded": keras.saving.load_model(folder / "model.keras")(images),
        "served": served.serve(images),
        **features.weights_of(model),
    }


STOCK = {
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
        mixed_precision,
        float16,
        prefix_cache,
        resume,
        accumulation,
        averaged_weights,
        hub_encoder,
        export,
    )
}
