"""Data sets that are read ahead."""

import tensorflow as tf


def prefetched(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches, made while those before are in use.

    Maps of `AUTOTUNE` calls run on all cores: tf.data tunes nothing here. Its
    tuner looks up rarely, after up to a minute, and an iterator that is let go
    of in a bad moment waits for it.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)
