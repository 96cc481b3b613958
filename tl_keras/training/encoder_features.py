"""What a model's encoder sees in each example, as one vector, computed once."""

import math

import numpy as np
import tensorflow as tf

from tl_keras import cards
from tl_keras import cuts
from tl_keras import graph
from tl_keras.training import feature_store
from tl_keras.training import prefix_cache
from tl_keras.training import prefix_pass
from tl_keras.training import prefix_settings


def encoder_features(model, data, split: str, *, settings=None) -> np.ndarray:
    """The encoder's features of all examples of a split, averaged over places.

    Neighbours and duplicates are searched among them. They are kept in the
    prefix cache and read from there the next time; a head that was trained on
    a frozen encoder has left them there already.

    Args:
        model: A Functional `keras.Model` from inputs to classes. The features
            are what its encoder gives; of a model that tl_keras did not make,
            what its last layer with weights reads.
        data: A `Data`, for a model of its `input_spec`.
        split: "train", "validation" or "test".
        settings: A `PrefixCache`: its folder. None: the defaults.

    Returns:
        float32 `[examples, width]`, in stored order.

    Raises:
        TypeError: If the model has no graph.
        ValueError: If there is no such split, or the features have no fixed
            size.
        OSError: If the cache cannot be written.

    Example:
        >>> import tempfile
        >>> import tl_keras
        >>> data = tl_keras.data.load("digits", image_size=16)
        >>> encoder = tl_keras.encoders.load("tiny", 16)
        >>> head = tl_keras.heads.Classifier(num_classes=10)
        >>> model = tl_keras.build(encoder, head)
        >>> settings = prefix_settings.PrefixCache(folder=tempfile.mkdtemp())
        >>> encoder_features(model, data, "test", settings=settings).shape
        (359, 128)
    """
    settings = settings or prefix_settings.PrefixCache()
    value, part = _up_to_features(model)
    examples = data.splits[split]
    store = feature_store.FeatureStore(
        settings.path / prefix_cache.store_key(part, data),
        [
            feature_store.RowSpec(
                tuple(value.tensor.shape[1:]), value.tensor.dtype
            )
        ],
        f"{model.name}: features, from {data.input_spec} of {data.name}",
    )
    wanted = prefix_pass.Part(
        examples.inputs, lambda inputs, indices: inputs, examples.digests
    )
    prefix_pass.compute(
        prefix_pass.Beginning(model, part, takes_inputs=True),
        [wanted],
        [prefix_pass.Target((value,), store)],
    )
    [rows] = store.tensors(in_memory=False)
    found = np.asarray(rows[store.find(examples.digests)], np.float32)
    store.close()
    return _averaged(found)


def features_of(model, inputs, *, batch_size: int = 32) -> np.ndarray:
    """The same features of inputs that are no part of any data.

    Args:
        model: As in `encoder_features`.
        inputs: An array `[examples, ...]` as the model takes it, or strings.
        batch_size: How many at a time.

    Returns:
        float32 `[examples, width]`.

    Example:
        >>> import tl_keras
        >>> encoder = tl_keras.encoders.load("tiny", 16)
        >>> head = tl_keras.heads.Classifier(num_classes=2)
        >>> model = tl_keras.build(encoder, head)
        >>> features_of(model, np.zeros((3, 16, 16, 3))).shape
        (3, 128)
    """
    _, part = _up_to_features(model)
    beginning = prefix_pass.Beginning(model, part, takes_inputs=True)
    dtype, rows = model.inputs[0].dtype, []
    for start in range(0, len(inputs), batch_size):
        batch = inputs[start : start + batch_size]
        [features] = beginning.traced([tf.constant(batch, dtype)])
        rows.append(features.numpy())
    return _averaged(np.concatenate(rows).astype(np.float32))


def _up_to_features(model):
    """The value with the features, and the graph that leads there."""
    whole = graph.flat(model)
    value = _features_value(model, whole)
    if math.isinf(cuts.bytes_per_example([value])):
        raise ValueError(
            "The features have no fixed size, so that they cannot be kept. "
            f"Got: {tuple(value.tensor.shape[1:])}."
        )
    return value, cuts.between(whole, whole.inputs, [value])


def _features_value(model, whole) -> graph.Value:
    card = cards.of(model)
    if card is None or card.features is None:
        last = [c for c in whole.calls if getattr(c.operation, "weights", ())]
        return last[-1].reads[0] if last else whole.outputs[0]
    named = [c for c in whole.calls if c.operation.name == card.features]
    value = named[-1].writes[0]
    # Where the head begins with an average, that is kept instead: it is what
    # the prefix cache keeps for a head, and smaller.
    readers = [c for c in whole.calls if value in c.reads]
    if len(readers) == 1 and readers[0].operation.name == "head_pool":
        return readers[0].writes[0]
    return value


def _averaged(features):
    if features.ndim == 2:
        return features
    return features.mean(axis=tuple(range(1, features.ndim - 1)))
