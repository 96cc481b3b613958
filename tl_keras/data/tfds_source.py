"""Image classification data sets of TensorFlow Datasets (TFDS)."""

import importlib.util
import pathlib
import threading
import urllib.parse

import numpy as np

from tl_keras import checks
from tl_keras.data import errors
from tl_keras.data import examples
from tl_keras.data import fingerprint
from tl_keras.data import labels as labels_
from tl_keras.data import memory

_PROBE_SECONDS = 5.0
_MEMORY_SHARE = 0.5
_READ_BATCH = 1000
_SPLITS = ("train", "validation", "test")


def read(name: str, data_dir=None, *, known=()) -> examples.Source:
    """Reads a data set by its TFDS name, and downloads it if it must.

    Images are read as they are stored and decoded later. They are held in
    memory in their encoded form while they are read.

    Args:
        name: As TFDS takes it: `"cifar10"`, `"cifar10:3.0.2"`,
            `"imagenet_resized/32x32"`.
        data_dir: Where data is prepared; None for TFDS' own default.
        known: Names of other sources, to propose for a name that is unknown.

    Raises:
        ImportError: If TFDS is not installed.
        ValueError: If there is no such data set, or it has no images with
            class labels, or no training part, or is too large for the memory.
        DownloadError: If it is not prepared and its host cannot be reached.
    """
    tfds = _tfds(name, known)
    builder = _builder(tfds, name, data_dir, known)
    image_key, label_key = _keys(tfds, builder, name)
    if not builder.is_prepared():
        _download(builder, name, data_dir or tfds.core.constants.DATA_DIR)
    _check_size(builder, name)
    parts = {
        split: _read_split(tfds, builder, split, image_key, label_key)
        for split in _SPLITS
        if split in builder.info.splits
    }
    class_names = builder.info.features[label_key].names
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
    """The features that hold the image and its label."""
    features = builder.info.features
    items = dict(features) if hasattr(features, "items") else {}
    images = [k for k, f in items.items() if isinstance(f, tfds.features.Image)]
    labels = [
        k for k, f in items.items() if isinstance(f, tfds.features.ClassLabel)
    ]
    supervised = builder.info.supervised_keys or ()
    if len(supervised) == 2:
        if supervised[0] in images and supervised[1] in labels:
            images, labels = [supervised[0]], [supervised[1]]
    if len(images) == 1 and len(labels) == 1:
        if items[images[0]].np_dtype == np.uint8:
            return images[0], labels[0]
    found = [f"{key} ({type(f).__name__})" for key, f in items.items()]
    raise ValueError(
        f"{name!r} is no image classification data set. Got the features: "
        f"{', '.join(found)}. Expected one uint8 image and one class label. "
        "Bring others into arrays for `tl_keras.data.from_arrays`."
    )


def _check_size(builder, name):
    wanted = [s for s in _SPLITS if s in builder.info.splits]
    needed = sum(builder.info.splits[split].num_bytes for split in wanted)
    available = memory.available_bytes()
    if needed > _MEMORY_SHARE * available:
        raise ValueError(
            f"{name!r} takes {needed / 2**30:.1f} GB, and "
            f"{available / 2**30:.1f} GB of memory are available. Expected at "
            "most half of that. Write its images into class folders and load "
            "`folder:PATH`, which reads them from the disk."
        )


def _read_split(tfds, builder, split, image_key, label_key):
    features = builder.info.features
    wanted = {image_key: True, label_key: True}
    has_ids = isinstance(dict(features).get("id"), tfds.features.Text)
    if has_ids:
        wanted["id"] = True
    batches = builder.as_dataset(
        split=split,
        shuffle_files=False,
        # Reading one file after another keeps the stored order.
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
        decoders=tfds.decode.PartialDecoding(
            wanted, decoders={image_key: tfds.decode.SkipDecoding()}
        ),
    ).batch(_READ_BATCH)
    images, labels, ids = [], [], []
    for batch in batches.as_numpy_iterator():
        images.append(batch[image_key])
        labels.append(batch[label_key])
        ids.extend(map(bytes.decode, batch["id"]) if has_ids else ())
    if not images:
        return None
    images, labels = np.concatenate(images), np.concatenate(labels)
    ids = ids or [f"{split}[{index}]" for index in range(len(labels))]
    where = f"{split} of {builder.info.full_name}"
    if split == "test" and labels_.are_missing(labels, where=where):
        return None
    labels = labels_.whole_numbers(labels, where=where)
    labels_.check_range(labels, features[label_key].num_classes, where=where)
    ids = np.array(ids, object)
    names = np.array([f"Image {id_} in {where}" for id_ in ids], object)
    return examples.Examples(
        examples.Encoded(images, names),
        labels,
        ids,
        fingerprint.of_bytes(images),
    )


def _download(builder, name, where):
    advice = (
        f"Prepare {name!r} where there is a network (`tfds build "
        f"{builder.name}`) and pass its folder as `data_dir`."
    )
    by_hand = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    manual_dir = pathlib.Path(where).expanduser() / "downloads" / "manual"
    if by_hand and not manual_dir.is_dir():
        raise errors.DownloadError(
            f"{name!r} is not prepared in {where}, and has to be downloaded by "
            f"hand into {manual_dir}: {by_hand.strip()}"
        )
    for host in sorted({_address(url) for url in builder.url_infos}):
        if not _answers(host):
            raise errors.DownloadError(
                f"{name!r} is not prepared in {where}, and {host} cannot be "
                f"reached. {advice}"
            )
    if importlib.util.find_spec("importlib_resources") is None:
        raise ImportError(
            "To prepare data, TensorFlow Datasets needs a package that it "
            "does not install. Run `pip install importlib_resources`."
        )
    try:
        builder.download_and_prepare()
    except Exception as error:
        raise errors.DownloadError(
            f"{name!r} could not be prepared in {where}: {error}. {advice}"
        ) from error


def _address(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _answers(address):
    """Whether anything answers there, known within a few seconds."""
    import requests

    answered = threading.Event()

    def ask():
        try:
            requests.head(address, timeout=_PROBE_SECONDS)
            answered.set()
        except requests.RequestException:
            pass
        finally:
            done.set()

    done = threading.Event()
    # A look-up of the host's name obeys no timeout, so it may be left behind.
    threading.Thread(target=ask, daemon=True).start()
    done.wait(_PROBE_SECONDS)
    return answered.is_set()
