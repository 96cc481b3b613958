"""What the replicas of a strategy share: data sets, and single batches."""

import tensorflow as tf

from tl_keras.data import parts
from tl_keras.training import workers


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


def compute(function, inputs) -> list:
    """What a function gives for a batch of which each replica does a part.

    Args:
        function: Called with a list of tensors like `inputs`, of one replica;
            gives a list of tensors with a row for each of theirs. It runs in
            the replica, where modules can be called.
        inputs: Tensors with as many rows as all replicas can share evenly:
            those for the replicas of this process.

    Returns:
        Tensors with the rows of all replicas, on every one of them.
    """
    strategy = tf.distribute.get_strategy()
    if not tf.distribute.has_strategy():
        return function(inputs)

    def compute_part():
        replica = tf.distribute.get_replica_context()
        here = replica.num_replicas_in_sync // workers.count()
        number = replica.replica_id_in_sync_group % here
        mine = [_part(tensor, number, here) for tensor in inputs]
        return replica.all_gather(function(mine), axis=0)

    outputs = strategy.run(compute_part)
    results = strategy.experimental_local_results
    return [results(output)[0] for output in outputs]


def _part(tensor, number, count):
    shape = tf.shape(tensor)
    parts = tf.reshape(tensor, tf.concat([[count, -1], shape[1:]], 0))
    return tf.ensure_shape(parts[number], [None, *tensor.shape[1:]])
