"""The log of a run: one row an epoch."""

import csv
import functools
import os
import pathlib
import time

import keras


def teller(verbose):
    """What prints a text at once, as `print` does; silent if told so.

    Args:
        verbose: 0 to print nothing.

    Example:
        >>> teller(0)("nothing")
    """
    return functools.partial(print, flush=True) if verbose else _tell_nothing


def _tell_nothing(*_, **__):
    pass


class EpochLog(keras.callbacks.Callback):
    """Collects a row an epoch, and keeps them in a CSV file.

    Args:
        path: The CSV file, or None for none. It is written anew after each
            epoch and put in place whole.
    """

    def __init__(self, path=None):
        super().__init__()
        self.rows = []
        self.phase_name = None
        self._path = None if path is None else pathlib.Path(path)
        self._began = self._trained_until = self._waited = None

    def on_epoch_begin(self, epoch, logs=None):
        self._began = self._trained_until = time.perf_counter()
        self._waited = self.model.train_function.waited

    def on_train_batch_end(self, batch, logs=None):
        self._trained_until = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append(
            {
                "phase": self.phase_name,
                "epoch": epoch + 1,
                "seconds": round(time.perf_counter() - self._began, 3),
                "waiting": self._waiting(),
                "learning_rate": _number(self.model.optimizer.learning_rate),
                **{name: float(value) for name, value in logs.items()},
            }
        )
        if self._path is not None:
            self._write()

    def get_state(self) -> dict:
        """The rows, and the times of the epoch under way, for a checkpoint."""
        state = {"rows": self.rows}
        if self._began is not None:
            function = self.model.train_function
            state["seconds"] = time.perf_counter() - self._began
            state["trained"] = self._trained_until - self._began
            state["waited"] = function.waited - self._waited
        return state

    def set_state(self, state: dict):
        """Goes on as from where `get_state` was called, in place."""
        self.rows[:] = state["rows"]
        if "seconds" in state and self._began is not None:
            self._began = time.perf_counter() - state["seconds"]
            self._trained_until = self._began + state["trained"]
            function = self.model.train_function
            self._waited = function.waited - state["waited"]

    def _waiting(self) -> float:
        """Which share of the time for training passed in wait for data."""
        trained = self._trained_until - self._began
        waited = self.model.train_function.waited - self._waited
        return round(waited / trained, 4) if trained else 0.0

    def _write(self):
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        beside = self._path.with_suffix(".csv.part")
        with beside.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(beside, self._path)


def _number(rate) -> float:
    # A constant rate is a variable, under a strategy one with a copy on each
    # device, which `float` does not take.
    return float(keras.ops.convert_to_numpy(rate))
