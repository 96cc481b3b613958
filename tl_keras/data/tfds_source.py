"""Classification data sets of TensorFlow Datasets (TFDS)."""

import collections
import dataclasses
import io
import wave

import numpy as np

from tl_keras import checks
from tl_keras.data import examples
from tl_keras.data import fingerprint
from tl_keras.data import labels as labels_
from tl_keras.data import memory
from tl_keras.data import texts
from tl_keras.data import tfds_download

_MEMORY_SHARE = 0.5
_READ_BATCH = 1000
_SPLITS = ("train", "validation", "test")

_Keys = collections.namedtuple("_Keys", "kind input label")


def read(name: str, data_dir=None, *, known=()) -> examples.Source:
    """Reads a data set by its TFDS name, and downloads it if it must.

    Images are read as they are stored and decoded later. They are held in
    memory in their encoded form while they are read; sounds as WAV of 16
    bits.

    Args:
        name: As TFDS takes it: `"cifar10"`, `"cifar10:3.0.2"`,
            `"imagenet_resized/32x32"`.
        data_dir: Where data is prepared; None for TFDS' own default.
        known: Names of other sources, to propose for a name that is unknown.

    Raises:
        ImportError: If TFDS is not installed.
        ValueError: If there is no such data set, or it has no images, texts
            or sounds with class labels, or no training part, or is too large
            for the memory; or if a text is empty, or a sound has more than 16
            bits.
        DownloadError: If it is not prepared and its host cannot be reached.
    """
    tfds = _tfds(name, known)
    builder = _builder(tfds, name, data_dir, known)
    keys = _keys(tfds, builder, name)
    if not builder.is_prepared():
        where = data_dir or tfds.core.constants.DATA_DIR
        tfds_download.prepare(builder, name, where)
    _check_size(builder, name)
    parts = {
        split: _read_split(tfds, builder, split, keys)
        for split in _SPLITS
        if split in builder.info.splits
    }
    class_names = builder.info.features[keys.label].names
    if "train" not in parts:
        raise ValueError(
            f"{name!r} has no training part. Got: {list(builder.info.splits)}. "
            "Expected a split named 'train'."
        )
    return examples.Source(name, tuple(class_names), **parts)


def _tfds(name, known):
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            f"{name!r} is none of {', '.join(map(repr, known))}, and for other "
            f"names TensorFlow Datasets is needed: {error}. Run `pip install "
            "tensorflow-datasets importlib_resources`."
            + checks.did_you_mean(name, known)
        ) from error
    return tensorflow_datasets


def _builder(tfds, name, data_dir, known):
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.registered.DatasetNotFoundError as error:
        everything = [
            *known,
            *tfds.list_builders(with_community_datasets=False),
        ]
        raise ValueError(
            f"Unknown data set. Got: {name!r}. Expected one of: "
            f"{', '.join(map(repr, known))}, or a name of TensorFlow Datasets "
            "(https://www.tensorflow.org/datasets/catalog)."
            + checks.did_you_mean(name, everything)
        ) from error


def _keys(tfds, builder, name):
    """The features that hold the input and its label."""
    features = builder.info.features
    items = dict(features) if hasattr(features, "items") else {}
    kinds = {
        "image": tfds.features.Image,
        "audio": tfds.features.Audio,
        "text": tfds.features.Text,
    }
    inputs = {
        kind: [key for key, f in items.items() if isinstance(f, feature)]
        for kind, feature in kinds.items()
    }
    labels = [
        k for k, f in items.items() if isinstance(f, tfds.features.ClassLabel)
    ]
    keys = _supervised(builder, inputs, labels) or _only(inputs, labels)
    if keys and _is_usable(items[keys.input], keys.kind):
        return keys
    found = [f"{key} ({type(f).__name__})" for key, f in items.items()]
    raise ValueError(
        f"{name!r} does not have one image, text or sound and one class label "
        f"per example. Got the features: {', '.join(found)}. Expected a uint8 "
        "image, a text, or sound as integers at a stated sample rate, and a "
        "class label. Bring others into arrays for "
        "`tl_keras.data.from_arrays`."
    )


def _supervised(builder, inputs, labels):
    """What the data set itself names as input and label."""
    supervised = builder.info.supervised_keys or ()
    if len(supervised) == 2 and supervised[1] in labels:
        for kind, keys in inputs.items():
            if supervised[0] in keys:
                return _Keys(kind, *supervised)
    return None


def _only(inputs, labels):
    """The only input of the first kind that there is, and the only label.

    Beside an image or a sound, texts describe it.
    """
    for kind, keys in inputs.items():
        keys = [key for key in keys if key != "id"]
        if keys:
            if len(keys) == 1 and len(labels) == 1:
                return _Keys(kind, keys[0], labels[0])
            return None
    return None


def _is_usable(feature, kind):
    if kind == "image":
        return feature.np_dtype == np.uint8
    if kind == "audio":
        is_integer = np.issubdtype(feature.np_dtype, np.signedinteger)
        return is_integer and bool(feature.sample_rate)
    return feature.shape == ()


def _check_size(builder, name):
    wanted = [s for s in _SPLITS if s in builder.info.splits]
    needed = sum(builder.info.splits[split].num_bytes for split in wanted)
    available = memory.available_bytes()
    if needed > _MEMORY_SHARE * available:
        raise ValueError(
            f"{name!r} takes {needed / 2**30:.1f} GB, and "
            f"{available / 2**30:.1f} GB of memory are available. Expected at "
            "most half of that. Write its examples into class folders and load "
            "`folder:PATH`, which reads images and sounds from the disk."
        )


def _read_split(tfds, builder, split, keys):
    features = builder.info.features
    others = _others(tfds, features, keys)
    inputs, labels, ids, values = _stored(tfds, builder, split, keys, others)
    if not inputs:
        return None
    ids = ids or [f"{split}[{index}]" for index in range(len(labels))]
    where = f"{split} of {builder.info.full_name}"
    if split == "test" and labels_.are_missing(labels, where=where):
        return None
    labels = labels_.whole_numbers(labels, where=where)
    labels_.check_range(labels, features[keys.label].num_classes, where=where)
    columns = {name: others[name](values[name]) for name in others}
    names = [f"{keys.kind.capitalize()} {id_} in {where}" for id_ in ids]
    if keys.kind == "text":
        decoded = [
            texts.not_empty(texts.decode(value, name), name)
            for value, name in zip(inputs, names, strict=True)
        ]
        found = texts.to_examples(decoded, labels, ids)
        return dataclasses.replace(found, columns=columns)
    if keys.kind == "audio":
        sample_rate = features[keys.input].sample_rate
        inputs = [
            _to_wav(samples, sample_rate, name)
            for samples, name in zip(inputs, names, strict=True)
        ]
    return examples.Examples(
        examples.Encoded(
            np.array(inputs, object), np.array(names, object), keys.kind
        ),
        labels,
        np.array(ids, object),
        fingerprint.of_bytes(inputs),
        columns,
    )


def _others(tfds, features, keys) -> dict:
    """Other features that are one class or number; each with what reads it."""
    readers = {}
    for name, feature in dict(features).items():
        if name in (keys.input, keys.label) or feature.shape != ():
            continue
        if isinstance(feature, tfds.features.ClassLabel):
            class_names = np.array([*feature.names, ""], object)
            # -1 stands for none, and is the last one here.
            readers[name] = lambda values, names=class_names: names[values]
        elif np.dtype(feature.np_dtype).kind in "biuf":
            readers[name] = np.asarray
    return readers


def _stored(tfds, builder, split, keys, others):
    """Inputs as they are stored, labels, ids if there are any, and others."""
    features = builder.info.features
    wanted = {keys.input: True, keys.label: True}
    wanted |= dict.fromkeys(others, True)
    has_ids = isinstance(dict(features).get("id"), tfds.features.Text)
    if has_ids:
        wanted["id"] = True
    is_image = keys.kind == "image"
    decoders = {keys.input: tfds.decode.SkipDecoding()} if is_image else None
    batches = builder.as_dataset(
        split=split,
        shuffle_files=False,
        # Reading one file after another keeps the stored order.
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
        decoders=tfds.decode.PartialDecoding(wanted, decoders=decoders),
        # Sounds differ in length, and cannot be in one batch.
    ).batch(1 if keys.kind == "audio" else _READ_BATCH)
    inputs, labels, ids = [], [], []
    values = {name: [] for name in others}
    for batch in batches.as_numpy_iterator():
        inputs.extend(batch[keys.input])
        labels.extend(batch[keys.label])
        ids.extend(map(bytes.decode, batch["id"]) if has_ids else ())
        for name in others:
            values[name].extend(batch[name])
    return inputs, labels, ids, values


def _to_wav(samples, sample_rate, name):
    """Samples as the bytes of a WAV file, which takes a quarter of int64."""
    limits = np.iinfo(np.int16)
    if (
        samples.min(initial=0) < limits.min
        or samples.max(initial=0) > limits.max
    ):
        raise ValueError(
            f"{name} has samples of more than 16 bits. Got integers from "
            f"{samples.min()} to {samples.max()}. Bring the data into arrays "
            "of floats in -1..1 for `tl_keras.data.from_arrays`."
        )
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
        writer.setframerate(sample_rate)
        writer.setsampwidth(2)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()
