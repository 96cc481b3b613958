"""Calls that are repeated while that may help."""

import itertools
import random
import time

from tl_keras.serving import failures

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0


def call(function, *, retries: int, deadline: float, jitter: random.Random):
    """Calls a function until it succeeds, or nothing is to be gained.

    After a failure that may pass it waits, each time about twice as long as
    before, and calls again. A wait that would outlast the deadline is not
    begun.

    Args:
        function: Takes the seconds that are left, and returns the answer or
            raises a `Failure`.
        retries: Most repetitions, at least 0.
        deadline: When the last call has to end, by `time.monotonic()`.
        jitter: Draws the random part of a wait, by which clients that failed
            together do not come back together.

    Returns:
        What the function returned.

    Raises:
        failures.Failure: The last one.

    Example:
        >>> import random, time
        >>> call(
        ...     lambda seconds: "an answer",
        ...     retries=3,
        ...     deadline=time.monotonic() + 1.0,
        ...     jitter=random.Random(0),
        ... )
        'an answer'
    """
    for tries in itertools.count(1):
        try:
            # Neither protocol knows what a time limit of 0 or less means.
            return function(max(deadline - time.monotonic(), 1e-3))
        except failures.Failure as failure:
            wait_seconds = _wait_seconds(tries, jitter)
            in_time = time.monotonic() + wait_seconds < deadline
            if not failure.may_pass or tries > retries or not in_time:
                raise
        time.sleep(wait_seconds)


def _wait_seconds(tries: int, jitter: random.Random) -> float:
    """The wait after so many failures: 0.1, 0.2, 0.4 ... give or take half."""
    # An exponent beyond 30 would only overflow.
    longest = _FIRST_WAIT_SECONDS * 2.0 ** min(tries - 1, 30)
    return min(longest, _LONGEST_WAIT_SECONDS) * jitter.uniform(0.5, 1.5)
