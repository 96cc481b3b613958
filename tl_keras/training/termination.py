"""What SIGTERM does while a model trains."""

import signal
import threading

# What shells and schedulers know as "ended by SIGTERM".
EXIT_CODE = 128 + signal.SIGTERM


class TerminatedError(SystemExit):
    """Ends the program with exit code 143 after SIGTERM.

    Nobody has to catch it: a Python program that it leaves ends without a
    traceback.
    """

    def __init__(self):
        super().__init__(EXIT_CODE)


class Termination:
    """Lets a training step end before SIGTERM ends the program.

    A context. Within it, and in the main thread, the signal raises a
    `TerminatedError` at once, or is only noted while `waits` is set. What was
    done on that signal before is done again behind the context.

    Args:
        active: Whether to change anything.

    Attributes:
        waits: Whether somebody looks at `asked` in a moment.
        asked: Whether the signal came.

    Example:
        >>> import os
        >>> with Termination() as termination:
        ...     termination.waits = True
        ...     os.kill(os.getpid(), signal.SIGTERM)
        ...     print("a step ends")
        ...     termination.asked
        a step ends
        True
    """

    def __init__(self, active: bool = True):
        # Python allows signal handlers in the main thread only.
        is_main = threading.current_thread() is threading.main_thread()
        self._active = active and is_main
        self._earlier = None
        self.waits = False
        self.asked = False

    def __enter__(self):
        if self._active:
            self._earlier = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_):
        if self._active:
            # None stands for a handler that was not set from Python.
            earlier = self._earlier or signal.SIG_DFL
            signal.signal(signal.SIGTERM, earlier)

    def _note(self, *_):
        self.asked = True
        if not self.waits:
            raise TerminatedError
