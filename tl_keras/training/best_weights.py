"""Keeping the weights of the best epoch."""

import math

import keras

# Parts of the names of Keras' losses and metrics that are best when low.
_FALLING = (
    "loss",
    "error",
    "mse",
    "mae",
    "mape",
    "msle",
    "entropy",
    "divergence",
    "hinge",
    "poisson",
    "log_cosh",
    "logcosh",
    "huber",
    "perplexity",
    "brier",
    "false_positives",
    "false_negatives",
)
_REMEMBERED = ("score", "phase_score", "_rank", "_weights", "_first_epoch")


class BestWeights(keras.callbacks.Callback):
    """Remembers the best weights over all phases, and puts them back.

    One object goes through all phases, so that a phase that only loses ends
    with the weights it began with, unless it begins anew. Equal scores are
    decided by the lower validation loss, then for the earlier epoch.

    Args:
        network: The user's `keras.Model`.
        monitor: Name of the score in Keras' logs, e.g. `"val_accuracy"`; None
            keeps what the last epoch gave.
    """

    def __init__(self, network, monitor: str | None):
        super().__init__()
        self.network = network
        self.monitor = monitor
        self.score = None
        self.phase_score = None
        self._rank = None
        self._weights = None
        self._first_epoch = None

    def callbacks(self) -> list:
        """What `model.fit` is to call: this object, if it has a monitor."""
        return [] if self.monitor is None else [self]

    def begin_anew(self, first_epoch: int):
        """Makes nothing before an epoch of the next phase count, in place.

        Until then the best weights so far are still put back.

        Args:
            first_epoch: The epoch of that phase, from 0, which is the first
                that counts.
        """
        self._first_epoch = first_epoch

    def on_train_begin(self, logs=None):
        self.phase_score = None

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in logs:
            raise ValueError(
                f"`monitor` is not among the scores. Got: {self.monitor!r}. "
                f"Expected one of: {', '.join(map(repr, logs))}."
            )
        if self._first_epoch is not None:
            if epoch < self._first_epoch:
                return
            self._first_epoch = self._rank = None
        score = float(logs[self.monitor])
        rank = (
            self._better(score),
            -float(logs.get("val_loss", math.inf)),
        )
        best = self.phase_score
        if best is None or math.isnan(best) or rank[0] > self._better(best):
            self.phase_score = score
        if any(map(math.isnan, rank)) or (self._rank and rank <= self._rank):
            return
        self.score, self._rank = score, rank
        self._weights = self.network.get_weights()

    def get_state(self) -> dict:
        """What it remembers, for a checkpoint."""
        return {name: getattr(self, name) for name in _REMEMBERED}

    def set_state(self, state: dict):
        """Remembers what `get_state` gave, in place."""
        for name in _REMEMBERED:
            setattr(self, name, state[name])
        if self._rank is not None:
            self._rank = tuple(self._rank)

    def restore(self):
        """Puts the best weights back into the network, in place."""
        if self._weights is not None:
            self.network.set_weights(self._weights)

    def _better(self, score: float) -> float:
        return score if higher_is_better(self.monitor) else -score


def higher_is_better(monitor: str) -> bool:
    """Whether a larger value of a score is the better one.

    Losses, errors and counts of mistakes fall; every other score rises.

    Example:
        >>> higher_is_better("val_accuracy"), higher_is_better("val_loss")
        (True, False)
    """
    return not any(word in monitor.lower() for word in _FALLING)
