"""The checkpoints of one `fit`: written on the way, and gone on from."""

import sys
import time

from tl_keras import differences
from tl_keras.training import background
from tl_keras.training import checkpoint_files
from tl_keras.training import termination as terminations
from tl_keras.training import workers


class Keeper:
    """Keeps what a `fit` needs to go on after a kill.

    A context around the phases, which ends with everything on disk.

    Args:
        folder: The `CheckpointFolder`, or None for no checkpoints.
        settings: A `Checkpoints`.
        identity: What `run_identity.of` gives.
        state: The `FitState`.
        phase_names: Names of the plan's phases in order.
        termination: The `Termination` of this `fit`.

    Attributes:
        state: As given.
        termination: As given.
        results: What finished phases gave, as dicts.
        under_way: What a checkpoint within a phase holds of that phase, or
            None.
    """

    def __init__(
        self, folder, settings, identity, state, phase_names, termination
    ):
        self._folder = folder
        self._settings = settings
        self._identity = identity
        self._phase_names = phase_names
        self._background = background.Background()
        self._written_at = time.monotonic()
        self._steps_then = 0
        self._content = None
        self.state = state
        self.termination = termination
        self.results = []
        self.under_way = None

    @property
    def writes(self) -> bool:
        """Whether any checkpoints are written."""
        return self._folder is not None and self._settings.write

    def begin(self, resume: bool):
        """Puts back what the newest checkpoint holds, in place.

        Args:
            resume: Whether to do so; if not, checkpoints are removed.

        Raises:
            ValueError: If it is of another training.
            OSError: If it cannot be read.
        """
        if self._folder is None:
            return
        content = self._newest(resume)
        if content is None:
            return
        self._check(content["identity"])
        self.results = content["results"]
        self.under_way = content["under_way"]
        self._content = content
        if self.under_way is None:
            self.restore()
        else:
            # Callbacks are to begin first, which may reset them.
            self.state.put_model(content["state"])
        self._folder.say(self._where())

    def wait(self):
        """Waits until the checkpoint before is on disk.

        Raises:
            OSError: If it could not be written.
        """
        self._background.join()

    def restore(self):
        """Puts back the `FitState` of the checkpoint, in place."""
        self.state.put(self._content["state"])

    def time_is_up(self) -> bool:
        """Whether so much time has passed that a checkpoint is due.

        Raises:
            OSError: If the one before could not be written.
        """
        if not self.writes:
            return False
        self._background.check()
        seconds = self._settings.seconds
        since = time.monotonic() - self._written_at
        return seconds is not None and since >= seconds

    def is_due(self, steps: int) -> bool:
        """Whether so many steps were done that a checkpoint is due.

        Args:
            steps: How many steps of the phase are done.
        """
        every = self._settings.steps
        return (
            self.writes
            and every is not None
            and steps - self._steps_then >= every
        )

    @property
    def is_busy(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._background.is_busy

    def begin_phase(self, steps: int):
        """Counts time and steps from here on.

        Args:
            steps: How many steps of the phase are done.
        """
        self._written_at, self._steps_then = time.monotonic(), steps

    def write(self, under_way=None, steps: int = 0):
        """Copies the state, and has it written in the background.

        What an earlier process left is forgotten.

        Args:
            under_way: What belongs to the phase under way, or None between
                phases.
            steps: How many steps of the phase are done.

        Raises:
            OSError: If the one before could not be written.
        """
        if not self.writes:
            return
        # Two copies of the state in memory would be one too many.
        self.wait()
        self._content = None
        content = {
            "identity": self._identity,
            "results": list(self.results),
            "state": self.state.get(),
            "under_way": under_way,
        }
        # Each worker has read the state, since what the replicas add up can
        # only be read together.
        if workers.is_chief():
            self._background.start(self._folder.write, content)
        self.begin_phase(steps)

    def end_phase(self, result: dict):
        """Writes a checkpoint between two phases.

        Args:
            result: What the phase gave.
        """
        self.results.append(result)
        is_last = len(self.results) == len(self._phase_names)
        # Behind the last one, all is about to be removed.
        if not is_last or self._settings.keep:
            self.write()

    def stop(self):
        """Ends the program after SIGTERM, when all is on disk."""
        self.wait()
        workers.wait_for_all()
        raise terminations.TerminatedError

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        # From here on the signal would come between a checkpoint and its end.
        self.termination.waits = True
        try:
            self._background.join()
        except Exception:
            if kind is None:
                raise  # Else what went wrong first is told.
        is_asked = self.termination.asked
        if is_asked:
            print(
                "Stopped by SIGTERM. Start the same again to go on from the "
                f"last checkpoint in {self._folder.path}.",
                file=sys.stderr,
                flush=True,
            )
        if kind is None and is_asked:
            raise terminations.TerminatedError
        if kind is None and self._folder is not None:
            if not self._settings.keep and workers.is_chief():
                self._folder.clear()

    def _newest(self, resume: bool):
        """What the chief's newest checkpoint holds, or None."""
        found = []

        def read():
            if not resume:
                self._folder.clear()
            found.append(self._folder.newest())
            return found[0] is not None

        if not workers.from_chief(read):
            return None
        if workers.count() == 1:
            return found[0]
        # Others need not see the chief's files.
        content = checkpoint_files.encode(found[0]) if found else b""
        return checkpoint_files.decode(workers.content_of_chief(content))

    def _check(self, identity):
        lines = differences.lines(
            identity, self._identity, where="in the checkpoint"
        )
        if lines:
            raise ValueError(
                f"The checkpoints in {str(self._folder.path)!r} are of another "
                "training:\n  "
                + "\n  ".join(lines)
                + "\nStart what was started there to go on with it; or choose "
                "another `workdir`; or begin anew by `resume=False` "
                "(--overwrite), which removes them."
            )

    def _where(self) -> str:
        if len(self.results) == len(self._phase_names):
            return "Every phase is done already."
        phase = self._phase_names[len(self.results)]
        if self.under_way is None:
            return f"Going on with phase {phase!r}."
        if self.under_way["is_over"]:
            return f"Going on at the end of phase {phase!r}."
        step = self.under_way["step"]
        place = f"step {step + 1}"
        if step == self.under_way["steps_per_epoch"]:
            place = "behind its last step"
        epoch = self.under_way["epoch"] + 1
        return f"Going on in phase {phase!r}, epoch {epoch}, {place}."
