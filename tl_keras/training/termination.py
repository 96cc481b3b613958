"""What SIGTERM does while a model trains."""

import os
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
    `TerminatedError` at once, or is only noted while `waits` is set. Behind
    the context, what was done on the signal before is done again; also on one
    that was noted and that nobody has acted on.

    Args:
        active: Whether to change anything.

    Attributes:
        waits: Whether somebody looks at `asked` in a moment.
        asked: Whether the signal came.

    Example:
        >>> try:
        ...     with Termination() as termination:
        ...         termination.waits = True
        ...         os.kill(os.getpid(), signal.SIGTERM)
        ...         print("a step ends")
        ...         if termination.asked:
        ...             raise TerminatedError
        ... except SystemExit as exit:
        ...     print(exit.code)
        a step ends
        143
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

    def __exit__(self, kind, error, traceback):
        if not self._active:
            return
        # None stands for a handler that was not set from Python.
        earlier = signal.SIG_DFL if self._earlier is None else self._earlier
        signal.signal(signal.SIGTERM, earlier)
        if kind is None and self.asked:
            os.kill(os.getpid(), signal.SIGTERM)

    def _note(self, *_):
        self.asked = True
        if not self.waits:
            raise TerminatedError
