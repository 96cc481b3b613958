"""What a `fit` is told to do, to tell whether a checkpoint is of the same."""

import collections.abc
import dataclasses
import numbers

import keras
import tensorflow as tf

from tl_keras.training import graph_fingerprint

# Raised where checkpoints of an earlier version could not be gone on from.
_FORMAT = 1


def of(
    *,
    plan,
    model,
    whole,
    groups,
    feed,
    seed,
    loss,
    metrics,
    monitor,
    prefix_cache,
) -> dict:
    """All that the numbers of a training follow from, but for the weights.

    Args:
        plan: A `Plan`.
        model: The user's model.
        whole: Its graph, flat.
        groups: Its `LayerGroups`.
        feed: A `DataFeed` or `DatasetFeed`.
        seed: Of the run.
        loss: A Keras loss.
        metrics: Keras metrics.
        monitor: Name of the score that chooses the weights, or None.
        prefix_cache: A `PrefixCache`.

    Returns:
        Dicts, lists, texts, numbers and None, ready for JSON.
    """
    return {
        "format": _FORMAT,
        "seed": seed,
        "phases": [phase.name for phase in plan.phases],
        "plan": {phase.name: _described(phase) for phase in plan.phases},
        "data": _of_data(feed),
        "class_weight": _described(feed.class_weight),
        "validates": feed.validates,
        "loss": _described(loss),
        "metrics": _described(metrics),
        "monitor": monitor,
        "prefix_cache": {
            "mode": prefix_cache.mode,
            "dtype": prefix_cache.dtype,
        },
        "replicas": tf.distribute.get_strategy().num_replicas_in_sync,
        "model": {
            "groups": list(groups.names),
            "graph": graph_fingerprint.of(whole, weights=False),
            "weights": {
                str(number): _of_weight(weight)
                for number, weight in enumerate(model.weights)
            },
        },
    }


def _of_data(feed) -> dict:
    if not hasattr(feed, "data"):
        return {
            "batches": str(feed.dataset.element_spec),
            "steps_per_epoch": feed.steps_per_epoch,
        }
    return {
        "fingerprint": feed.data.fingerprint,
        "batch_size": feed.data.batch_size,
        "inputs": str(feed.data.input_spec),
        "keep_aspect_ratio": feed.data.keep_aspect_ratio,
    }


def _of_weight(weight) -> str:
    trains = "" if weight.trainable else ", frozen"
    return f"{weight.dtype} {tuple(weight.shape)}{trains}"


def _described(value):
    """A value as JSON has it, the same in each process."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: _described(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, collections.abc.Mapping):
        return {str(key): _described(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_described(one) for one in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    config = _config_of(value)
    if config is not None:
        return {type(value).__name__: _described(config)}
    return getattr(value, "__qualname__", type(value).__qualname__)


def _config_of(value):
    is_instance = not isinstance(value, type)
    if not is_instance or not hasattr(value, "get_config"):
        return None
    try:
        return keras.saving.serialize_keras_object(value)["config"]
    # Keras writes none down where an argument is, say, an array.
    except (NotImplementedError, TypeError, KeyError, ValueError):
        return None
