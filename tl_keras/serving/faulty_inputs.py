"""Which inputs of a refused batch are at fault."""

import dataclasses

from tl_keras.serving import failures

# One bad input among 64 takes 7 calls; a batch that is bad throughout is not
# worth the 126 that it would take.
_MOST_CALLS = 64


@dataclasses.dataclass
class Search:
    """What a search found.

    Attributes:
        messages: Index of an input at fault to what the server says of it,
            in order.
        is_complete: Whether the search came to its end.
    """

    messages: dict[int, str] = dataclasses.field(default_factory=dict)
    is_complete: bool = True


def search(refusal, count: int, most_calls: int = _MOST_CALLS) -> Search:
    """Finds the inputs that a server refuses, by halving.

    An input counts as at fault only if it is refused alone: a server may also
    refuse a batch as a whole, such as one beyond its largest batch size.

    Args:
        refusal: Takes `start` and `stop`, and returns why the server refuses
            the inputs from `start` up to `stop`, or None if it takes them.
            Where it raises a `failures.Failure`, the search ends.
        count: Number of inputs, at least 1, that are refused together.
        most_calls: How often `refusal` may be called.

    Returns:
        The inputs at fault.

    Example:
        >>> inputs = ["good", "good", "bad", "good", "bad"]
        >>> def refusal(start, stop):
        ...     return "a bad one" if "bad" in inputs[start:stop] else None
        >>> search(refusal, len(inputs)).messages
        {2: 'a bad one', 4: 'a bad one'}
    """
    halving = _Halving(refusal, most_calls)
    try:
        halving.look(0, count)
    except (_Enough, failures.Failure):
        halving.found.is_complete = False
    return halving.found


class _Enough(Exception):
    """All calls are spent."""


class _Halving:
    """A search under way."""

    def __init__(self, refusal, calls_left: int):
        self.found = Search()
        self._refusal = refusal
        self._calls_left = calls_left

    def look(self, start: int, stop: int, message: str | None = None):
        """Looks for faults in a range that holds one.

        Args:
            start: Index of its first input.
            stop: Index after its last one.
            message: What the server said of the range; None if it was not
                asked.
        """
        if stop - start == 1:
            message = self._ask(start, stop) if message is None else message
            if message is not None:
                self.found.messages[start] = message
            return
        middle = (start + stop) // 2
        left = self._ask(start, middle)
        if left is None:
            self.look(middle, stop)  # Where else: no need to ask.
            return
        self.look(start, middle, left)
        right = self._ask(middle, stop)
        if right is not None:
            self.look(middle, stop, right)

    def _ask(self, start: int, stop: int) -> str | None:
        if not self._calls_left:
            raise _Enough
        self._calls_left -= 1
        return self._refusal(start, stop)
