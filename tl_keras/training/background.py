"""One piece of work at a time, done beside the training."""

import threading


class Background:
    """Calls functions in a thread, one after another.

    Example:
        >>> done = []
        >>> background = Background()
        >>> background.start(done.append, 1)
        >>> background.start(done.append, 2)
        >>> background.join()
        >>> done
        [1, 2]
    """

    def __init__(self):
        self._thread = None
        self._error = None

    @property
    def is_busy(self) -> bool:
        """Whether the last piece of work is still under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, function, *arguments):
        """Begins a piece of work once the one before it has ended.

        Raises:
            Exception: What that one raised.
        """
        self.join()
        # No daemon: a program that ends waits for what it has begun.
        self._thread = threading.Thread(
            target=self._run, args=(function, *arguments)
        )
        self._thread.start()

    def join(self):
        """Waits for what is under way, and raises what it raised."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    def check(self):
        """Raises what a piece of work raised, once, and waits for none."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, function, *arguments):
        try:
            function(*arguments)
        except Exception as error:
            self._error = error
