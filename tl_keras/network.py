"""Whether something can be had from the network, known within seconds."""

import threading
import urllib.error
import urllib.request

# Long enough for a slow line to answer, short enough to wait for.
PATIENCE_SECONDS = 5.0


def problem_with(
    url: str,
    timeout_seconds: float | None = None,
    *,
    any_answer: bool = False,
) -> str | None:
    """Why `url` cannot be read, or None if it can.

    Libraries that download wait for minutes where a firewall swallows what
    they send. Ask here first.

    Args:
        url: An http or https URL. Only the head of the answer is read.
        timeout_seconds: How long to wait for it; None for five seconds.
        any_answer: Whether an error page counts as an answer: then what is
            asked is whether the host can be reached.

    Returns:
        A few words for an error message, or None.

    Example:
        >>> problem_with("http://127.0.0.1:9/file") is None
        False
    """
    timeout_seconds = timeout_seconds or PATIENCE_SECONDS
    problems = [f"no answer within {timeout_seconds:g} seconds"]

    def ask():
        try:
            with urllib.request.urlopen(url, timeout=timeout_seconds):
                problems[0] = None
        except urllib.error.HTTPError as error:
            problems[0] = None if any_answer else f"{error.code} {error.reason}"
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error) or error
            # Of the two time limits, either may be the first to end.
            if not isinstance(reason, TimeoutError):
                problems[0] = str(reason)

    # A thread, since a time limit on a socket covers neither the look-up of
    # the name nor all of the host's addresses together.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    return problems[0]
