"""A call to a server that went wrong, in words of one kind."""

# What passes by itself: the server starts, is loading a version, or is busy.
_PASSING = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
_ADVICE = (
    "check that it runs, that the address is right, and that the port is that "
    "of the protocol (by default 8500 for gRPC, 8501 for REST)."
)


class Failure(Exception):
    """What came back in place of an answer, whatever the protocol.

    Attributes:
        code: Name of a gRPC status code, e.g. `"INVALID_ARGUMENT"`.
        message: What the server, or the connection, said.

    Reference:
        https://grpc.io/docs/guides/status-codes/
    """

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @property
    def is_of_inputs(self) -> bool:
        """Whether the inputs are to blame, so that no retry helps."""
        return self.code == "INVALID_ARGUMENT"

    @property
    def may_pass(self) -> bool:
        """Whether the same call may be answered well a little later."""
        # gRPC gives a message beyond a size limit the code of a busy server.
        return self.code in _PASSING and "larger than max" not in self.message


def explained(failure: Failure, *, where: str, timeout_seconds: float):
    """The exception for the user: what came, what was expected, what to do.

    Args:
        failure: What came back.
        where: The server, in words, e.g. `"localhost:8500 (grpc)"`.
        timeout_seconds: How long the call could take.

    Returns:
        A `ConnectionError`, `TimeoutError` or `RuntimeError`, not raised.

    Example:
        >>> explained(
        ...     Failure("DEADLINE_EXCEEDED", "too late"),
        ...     where="localhost:8500 (grpc)",
        ...     timeout_seconds=2.0,
        ... )
        TimeoutError('No answer from localhost:8500 (grpc) in time. ...')
    """
    if failure.code == "UNAVAILABLE":
        return ConnectionError(
            f"No server answers at {where}. Got: {failure.message}. Expected "
            f"TensorFlow Serving; {_ADVICE}"
        )
    if failure.code == "DEADLINE_EXCEEDED":
        return TimeoutError(
            f"No answer from {where} in time. Got: {failure.message}. Expected "
            f"one within {timeout_seconds:g} seconds; raise `timeout_seconds`, "
            "or send less at once by a smaller `batch_size`."
        )
    if failure.code == "RESOURCE_EXHAUSTED":
        return RuntimeError(
            f"The server at {where} cannot take more. Got: {failure.message}. "
            "Expected room for the batch; lower `batch_size`, or try again "
            "when the server is less busy."
        )
    if failure.code == "UNIMPLEMENTED":
        return RuntimeError(
            f"The server at {where} is not TensorFlow Serving, or speaks "
            f"another protocol. Got: {failure.message}. Expected it; {_ADVICE}"
        )
    return RuntimeError(
        f"The server at {where} failed. Got: {failure.code}, "
        f"{failure.message}. Expected an answer; its log may say more."
    )
