"""Data sets of which each replica of a strategy gets its part."""

import tensorflow as tf

from tl_keras.data import parts


def distributed(make):
    """Parts of batches for the replicas of the current strategy, without end.

    Each process reads the parts of its own replicas, and nothing else. Where
    the data end, they begin again: to ask all workers at each step whether
    there is more would take an exchange over the network.

    Args:
        make: Called with a `Parts`; gives a `tf.data.Dataset` of `Part`s.

    Returns:
        A `tf.distribute.DistributedDataset`.
    """

    def dataset(context):
        total = context.num_replicas_in_sync
        here = total // context.num_input_pipelines
        first = context.input_pipeline_id * here
        return make(parts.Parts(first, here, total)).repeat()

    return tf.distribute.get_strategy().distribute_datasets_from_function(
        dataset
    )
