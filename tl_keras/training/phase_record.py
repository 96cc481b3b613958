"""Checkpoints within a phase: when they are taken, and how one is put back."""

import time

import keras

from tl_keras.training import callback_states
from tl_keras.training import step_state
from tl_keras.training import variable_values
from tl_keras.training import workers


class PhaseRecord(keras.callbacks.Callback):
    """Takes checkpoints of a phase; puts back the one it goes on from.

    It has to come last: what the others do at the end of a step or an epoch
    belongs to the checkpoint.

    Args:
        keeper: The `Keeper` of the whole `fit`.
        compiled: The `Compiled` of the phase.
        callbacks: Those of this phase alone that have a state.
        facts: What else belongs to a checkpoint of this phase, as a dict.
        epochs: How many epochs the phase has at most.
        began: When it began, by `time.perf_counter`.
    """

    def __init__(self, keeper, compiled, callbacks, facts, epochs, began):
        super().__init__()
        self._keeper = keeper
        self._compiled = compiled
        self._callbacks = callbacks
        self._facts = facts
        self._epochs = epochs
        self._began = began
        # Once put back, it is not wanted again.
        self._given, keeper.under_way = keeper.under_way, None
        if self._given is not None:
            self._began -= self._given["seconds"]

    @property
    def began(self) -> float:
        """When the phase would have begun, had it not been interrupted."""
        return self._began

    @property
    def first_epoch(self) -> int:
        """The epoch to go on in, from 0; that behind the last one for none."""
        if self._given is None:
            return 0
        return self._epochs if self._given["is_over"] else self._given["epoch"]

    @property
    def first_step(self) -> int:
        """How many of its steps are done."""
        return 0 if self._given is None else self._given["step"]

    def restore(self):
        """Puts everything back, in place, when the step has been traced."""
        # Keras makes some metrics' variables only then.
        variable_values.put(
            _metric_variables(self._compiled.training_model),
            self._given["metrics"],
        )
        self._restore()

    def on_train_begin(self, logs=None):
        if self._given is not None:
            self._restore()
        function = self.model.train_function
        self._keeper.begin_phase(function.goes_on_at)
        function.notes = self._notes if workers.count() > 1 else None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._keeper.termination.waits = True

    def on_train_batch_end(self, batch, logs=None):
        done = self.model.train_function.done
        asked, time_is_up = self._asked_and_time_is_up()
        if asked or time_is_up or self._keeper.is_due(done):
            before = self._epoch * self._steps_per_epoch
            self._write(self._epoch, done - before)
        if asked:
            self._keeper.stop()

    def on_epoch_end(self, epoch, logs=None):
        asked = workers.any_of(self._keeper.termination.asked)
        is_busy = workers.any_of(self._keeper.is_busy)
        self._keeper.termination.asked = asked
        if self._keeper.writes and (asked or not is_busy):
            self._write(epoch + 1, 0)
        if asked:
            self._keeper.stop()
        self._keeper.termination.waits = False

    def _notes(self):
        """What the other workers have to know, before some steps."""
        return self._keeper.termination.asked, self._keeper.time_is_up()

    def _asked_and_time_is_up(self):
        """Whether SIGTERM came, and time is up, on any worker."""
        function = self.model.train_function
        if function.notes is None:
            return self._notes()
        asked, time_is_up = (total > 0 for total in function.noted)
        if asked:
            self._keeper.termination.asked = True
        return asked, time_is_up

    @property
    def _steps_per_epoch(self) -> int:
        return self.model.train_function.steps_per_epoch

    def _restore(self):
        given = self._given
        self._keeper.restore()
        variable_values.put(self._beside_network(), given["variables"])
        callback_states.put(self._callbacks, given["callbacks"])
        self.model.stop_training = given["stopped"]

    def _write(self, epoch, step):
        self._keeper.wait()
        self._given = None
        stops = self.model.stop_training
        self._keeper.write(
            {
                **self._facts,
                "epoch": epoch,
                "step": step,
                "steps_per_epoch": self._steps_per_epoch,
                "stopped": stops,
                "is_over": not step and (stops or epoch == self._epochs),
                "seconds": time.perf_counter() - self._began,
                "variables": variable_values.get(self._beside_network()),
                "metrics": variable_values.get(_metric_variables(self.model)),
                "callbacks": callback_states.get(self._callbacks),
            },
            self.model.train_function.done,
        )

    def _beside_network(self) -> list:
        """What steps change or read beside the user's model."""
        of_network = {id(v) for v in self._keeper.state.variables}
        listed = [*self._compiled.held, *step_state.variables(self._compiled)]
        return [v for v in listed if id(v) not in of_network]


def _metric_variables(model) -> list:
    """Those of all metrics; none before Keras has made them."""
    return [
        variable for metric in model.metrics for variable in metric.variables
    ]
