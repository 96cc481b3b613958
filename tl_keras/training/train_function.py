"""The function that `fit` calls to train: some steps at a time, timed."""

import tensorflow as tf


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
    """

    def __init__(self, model):
        self.steps_at_a_time = model.steps_per_execution
        self._model = model
        self._step, self._run = _functions(model)
        self._traced = False
        self.start()

    def start(self, steps_per_epoch=None, total_steps=None):
        """Begins a training, with nothing done."""
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = total_steps
        self.done = self.goes_on_at = 0
        self.waited = 0.0
        self._restore = None

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
            self._run.get_concrete_function(iterator, tf.constant(count))
            self._restore()
            self._restore = None
        if self.skips:
            self.done += count
            return self._model.get_metrics_result()
        logs, waited = self._run(iterator, tf.constant(count))
        self.done += count
        self.waited += float(waited)
        return logs


def _functions(model):
    """A step on a batch, and a number of steps on an iterator."""
    strategy = model.distribute_strategy

    @tf.autograph.experimental.do_not_convert
    def step(data):
        logs = strategy.run(model.train_step, args=(data,))
        return tf.nest.map_structure(
            lambda value: strategy.reduce("MEAN", value, axis=None), logs
        )

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
        return step(data), waited

    @tf.autograph.experimental.do_not_convert
    def run(iterator, count):
        def body(done, logs, waited):
            del logs
            logs, more = next_step(iterator)
            return done + 1, logs, waited + more

        # A first step in front of the loop would be optimised a second time.
        traced = step.get_concrete_function(iterator.element_spec)
        logs = tf.nest.map_structure(
            lambda spec: tf.zeros(spec.shape, spec.dtype),
            traced.structured_outputs,
        )
        _, logs, waited = tf.while_loop(
            lambda done, *_: done < count,
            body,
            (tf.constant(0), logs, tf.constant(0.0, tf.float64)),
            # Ahead of its turn, a batch would seem to be waited for.
            parallel_iterations=1,
        )
        return logs, waited

    return step, tf.function(run, reduce_retracing=True)
