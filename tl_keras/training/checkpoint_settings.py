"""When a `fit` writes checkpoints: the settings."""

import dataclasses

from tl_keras import checks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """When a `fit` with a `workdir` writes checkpoints, to be gone on from.

    It writes one at the end of each epoch, unless an earlier one is still
    being written, at the end of each phase, on SIGTERM, and in between as the
    fields say. The last two are kept.

    Attributes:
        write: Whether any are written. Without them, training that was killed
            begins anew.
        seconds: After how many seconds of training the next one is written;
            None for none by the clock.
        steps: After how many optimizer steps the next one is written; None
            for none by steps.
        keep: Whether the last one stays when `fit` has returned. A later
            `fit` of the same then gives its result at once: for a script that
            may be killed before it has saved the model.

    Raises:
        TypeError, ValueError: If a field is none of these.

    Example:
        >>> Checkpoints(steps=100).seconds
        60.0
    """

    write: bool = True
    seconds: float | None = 60.0
    steps: int | None = None
    keep: bool = False

    def __post_init__(self):
        checks.instance(self.write, bool, name="checkpoints.write")
        if self.seconds is not None:
            checks.in_range(self.seconds, name="checkpoints.seconds", low=0.0)
        if self.steps is not None:
            checks.integer(self.steps, name="checkpoints.steps", low=1)
        checks.instance(self.keep, bool, name="checkpoints.keep")
