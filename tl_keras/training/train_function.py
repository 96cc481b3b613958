"""The functions that `fit` calls to train and to validate, step by step."""

import tensorflow as tf

from tl_keras.training import workers


class TrainFunction:
    """Runs training steps and measures how long they wait for data.

    Keras' own runs over the end of an epoch where that is no multiple of the
    steps at a time, fails under a strategy with several of them
    (https://github.com/keras-team/keras/issues/19246), and does not tell
    computing from waiting.

    Args:
        model: A compiled `TrainingModel`.

    Attributes:
        steps_at_a_time: Most steps that a call runs.
        steps_per_epoch: Steps in an epoch, which no call goes beyond; None
            where it is not known.
        total_steps: Steps of the whole training, likewise.
        goes_on_at: How many steps an earlier process ran. Calls for these
            run nothing and leave the iterator alone.
        done: Steps that were run.
        waited: Seconds in which a step was waiting for its batch.
        notes: Called before a call of steps; gives numbers that all workers
            are to know of each other. None for none.
        noted: Their sums over the workers, at the end of that call.
    """

    def __init__(self, model):
        self.steps_at_a_time = model.steps_per_execution
        self._model = model
        self._step, self._run = _functions(model, model.train_step)
        self._traced = False
        self.notes = None
        self.start()

    def start(self, steps_per_epoch=None, total_steps=None):
        """Begins a training, with nothing done."""
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = total_steps
        self.done = self.goes_on_at = 0
        self.waited = 0.0
        self._restore = None
        self.noted = ()

    def go_on(self, epoch: int, step: int, restore):
        """Begins a training with its first steps done.

        Args:
            epoch: Which epoch comes first, from 0.
            step: How many of its steps are done.
            restore: Called once, where steps are done, when the step was
                traced and all its variables are there; gives them the values
                that they had.
        """
        self.done = epoch * (self.steps_per_epoch or 0)
        self.goes_on_at = self.done + step
        self._restore = restore if step else None

    @property
    def skips(self) -> bool:
        """Whether the next call is for steps that are done."""
        return self.done < self.goes_on_at

    def __call__(self, iterator):
        """Runs the next steps; gives Keras' logs."""
        if not isinstance(
            iterator, (tf.data.Iterator, tf.distribute.DistributedIterator)
        ):
            return self._step(next(iterator))  # From `train_on_batch`.
        count = self.steps_at_a_time
        if self.steps_per_epoch is not None:
            left = self.steps_per_epoch - self.done % self.steps_per_epoch
            count = min(count, left)
        if self.total_steps is not None:
            count = min(count, max(1, self.total_steps - self.done))
        if not self._traced:
            if self._model.distribute_strategy.num_replicas_in_sync == 1:
                self._model.create_metric_variables(iterator.element_spec)
            self._traced = True
        if self._restore is not None:
            # Some of Keras' variables, e.g. those of metrics, are made when
            # the step is traced.
            self._run.get_concrete_function(
                iterator, tf.constant(count), self._notes()
            )
            self._restore()
            self._restore = None
        if self.skips:
            self.done += count
            return self._model.get_metrics_result()
        logs, waited, noted = self._run(
            iterator, tf.constant(count), self._notes()
        )
        self.done += count
        self.waited += float(waited)
        self.noted = noted.numpy()
        return logs

    def _notes(self):
        notes = () if self.notes is None else self.notes()
        return tf.constant(notes, tf.float32)


class TestFunction:
    """Runs the steps of a validation on several replicas.

    Keras' own cannot on several workers
    (https://github.com/keras-team/keras/issues/20585).

    Args:
        model: A compiled `TrainingModel`.

    Attributes:
        steps: How many steps a validation has, which no call goes beyond.
    """

    def __init__(self, model):
        self.steps = None
        self._model = model
        self._run = _functions(model, model.test_step)[1]
        self.start()

    def start(self):
        """Begins a validation."""
        self._done = 0

    def __call__(self, iterator):
        """Runs the next steps; gives Keras' logs."""
        count = self._model.steps_per_execution
        if self.steps is not None:
            count = min(count, self.steps - self._done)
        logs, _, _ = self._run(iterator, tf.constant(count), tf.zeros([0]))
        self._done += count
        return logs


def _functions(model, own_step):
    """A step on a batch, and a number of steps on an iterator."""
    strategy = model.distribute_strategy
    local_results = strategy.experimental_local_results

    @tf.autograph.experimental.do_not_convert
    def step(data):
        logs = strategy.run(own_step, args=(data,))
        return tf.nest.map_structure(lambda one: local_results(one)[0], logs)

    step = tf.function(
        step, reduce_retracing=True, jit_compile=model.jit_compile
    )

    def next_step(iterator):
        began = tf.timestamp()
        with tf.control_dependencies([began]):
            data = next(iterator)
        parts = tf.nest.flatten(data, expand_composites=True)
        with tf.control_dependencies(parts):
            waited = tf.timestamp() - began
        # What it gives is what the metrics give behind the last step.
        step(data)
        return waited

    @tf.autograph.experimental.do_not_convert
    def run(iterator, count, notes):
        # A first step in front of the loop would be optimised a second time.
        _, waited = tf.while_loop(
            lambda done, _: done < count,
            lambda done, waited: (done + 1, waited + next_step(iterator)),
            (tf.constant(0), tf.constant(0.0, tf.float64)),
            # Ahead of its turn, a batch would seem to be waited for.
            parallel_iterations=1,
        )
        found = strategy.run(_found, args=(model, notes))
        logs, noted = tf.nest.map_structure(
            lambda one: local_results(one)[0], found
        )
        return logs, waited, noted

    return step, tf.function(run, reduce_retracing=True)


def _found(model, notes):
    """The mean of the replicas' logs, and the sum of the workers' notes."""
    logs = model.get_metrics_result()
    replica = tf.distribute.get_replica_context()
    if not tf.distribute.has_strategy():
        return logs, notes
    replicas = replica.num_replicas_in_sync
    shares = [
        tf.reshape(tf.cast(value, tf.float32) / replicas, [-1])
        for value in tf.nest.flatten(logs)
    ]
    # Each of a worker's replicas brings the same notes.
    notes *= workers.count() / replicas
    # All in one: on a network, each exchange takes its time.
    sizes = [tf.size(one) for one in (*shares, notes)]
    summed = replica.all_reduce(
        tf.distribute.ReduceOp.SUM, tf.concat([*shares, notes], 0)
    )
    *means, noted = tf.split(summed, sizes, num=len(sizes))
    means = [
        tf.cast(tf.reshape(mean, tf.shape(value)), value.dtype)
        for mean, value in zip(means, tf.nest.flatten(logs), strict=True)
    ]
    return tf.nest.pack_sequence_as(logs, means), noted
