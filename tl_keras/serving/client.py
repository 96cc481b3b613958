"""A client of TensorFlow Serving."""

import os
import random
import threading
import time
import urllib.parse

import numpy as np

from tl_keras import checks
from tl_keras.serving import batches
from tl_keras.serving import failures
from tl_keras.serving import faulty_inputs
from tl_keras.serving import grpc_calls
from tl_keras.serving import rest_calls
from tl_keras.serving import retrying
from tl_keras.serving import served

_PROTOCOLS = {"grpc": grpc_calls.GrpcCalls, "rest": rest_calls.RestCalls}
# An error names so many inputs; all of them are in its attribute.
_MOST_NAMED = 10


class InvalidInputError(ValueError):
    """The server refuses some of the inputs.

    Attributes:
        indices: Tuple of their positions in the list that was given, in
            order.
        names: Tuple of their file names, or None if they are no files.
        server_message: What the server says of the first of them.
    """

    def __init__(self, message, indices, names, server_message):
        super().__init__(message)
        self.indices = indices
        self.names = names
        self.server_message = server_message


class Client:
    """Asks a model on a server that runs TensorFlow Serving.

    Use it where a model was exported by `tl_keras.serving.export` and is
    served elsewhere: this side needs neither Keras nor the model. Inputs are
    sent in batches. A batch is sent again while the server is starting, busy
    or out of reach. If the server refuses one, the inputs at fault are
    found and named.

    One client may be used by several threads. It asks for the model's
    signatures once; call `metadata` when the server has another version whose
    signatures differ.

    Args:
        address: `"host:port"` of the server, by default port 8500 for gRPC
            and 8501 for REST. For REST also a URL, with https:// where the
            server is behind TLS.
        model_name: The model's name on the server.
        protocol: `"grpc"`, the faster one, or `"rest"`, which passes where
            only HTTP does.
        timeout_seconds: How long a batch may take, all tries together; above
            0. So long, too, may the search for inputs at fault take.
        retries: How often a call is repeated at most, at least 0.
        batch_size: Most inputs in one request, at least 1.
        version: Which version of the model to ask; None for the latest.

    Raises:
        TypeError, ValueError: If an argument is not as described. That no
            server is there shows when it is asked.

    Example:
        >>> with Client("localhost:9", timeout_seconds=1, retries=0) as client:
        ...     client.status()
        Traceback (most recent call last):
        ...
        ConnectionError: No server answers at localhost:9 (grpc). ...
    """

    def __init__(
        self,
        address: str,
        model_name: str = "model",
        *,
        protocol: str = "grpc",
        timeout_seconds: float = 10.0,
        retries: int = 3,
        batch_size: int = 32,
        version: int | None = None,
    ):
        checks.one_of(protocol, _PROTOCOLS, name="protocol")
        _check_address(address, protocol)
        checks.instance(model_name, str, name="model_name")
        if not model_name:
            raise ValueError(
                "`model_name` is empty. Expected the name under which the "
                "server has the model."
            )
        self._timeout_seconds = checks.in_range(
            timeout_seconds, name="timeout_seconds", low=0, include_low=False
        )
        self._retries = checks.integer(retries, name="retries")
        self._batch_size = checks.integer(batch_size, name="batch_size", low=1)
        if version is not None:
            checks.integer(version, name="version")
        self._calls = _PROTOCOLS[protocol](address, model_name, version)
        self._where = f"{address} ({protocol})"
        self._model_name = model_name
        self._version = version
        self._jitter = random.Random()
        self._signatures = None
        self._is_closed = False
        self._lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Ends the connection to the server; the client asks no more."""
        self._is_closed = True
        self._calls.close()

    def status(self) -> dict[int, served.VersionState]:
        """The versions of the model that the server knows, and their states.

        Returns:
            Number of each version to its `state`, such as `"AVAILABLE"`, and
            the `error` that kept it from loading.

        Raises:
            ConnectionError, TimeoutError, RuntimeError: If the server is not
                there, is late, or fails.
            ValueError: If it has no such model.
        """
        return self._ask(self._calls.versions)

    def metadata(self) -> dict[str, served.Signature]:
        """The model's signatures, as the server has them now.

        Returns:
            Signature name to its `inputs` and `outputs`: name of each tensor
            to its `dtype` and `shape`.

        Raises:
            ConnectionError, TimeoutError, RuntimeError, ValueError: As
                `status`; `ValueError` also if there is no such version.
        """
        self._signatures = self._ask(self._calls.signatures)
        return self._signatures

    def predict(
        self, inputs, signature: str = "serving_default"
    ) -> dict[str, np.ndarray]:
        """The outputs of a signature.

        Args:
            inputs: As the signature takes them, one for each row: a list of
                bytes (encoded images or sounds), a list of str (texts), or
                an array of numbers. May be empty.
            signature: Name of a signature with one input, whose outputs have
                the batch first.

        Returns:
            Output name to array, a row for each input. Strings are an array
            of str, where all of them are UTF-8 without zeros and the output's
            name does not end in "_bytes"; else an object array of bytes.

        Raises:
            InvalidInputError: If the server refuses some of the inputs.
                Batches after the one at fault are not sent.
            TypeError: If the inputs are of another type than the signature's.
            ValueError: If they have another shape; if there is no such
                signature, model or version; or if the server refuses a batch
                but none of its parts.
            ConnectionError, TimeoutError, RuntimeError: As `status`.
        """
        found = self._signature(signature)
        [(name, spec)] = found.inputs.items()
        rows = batches.rows_of(inputs, name, spec)
        return self._predict(rows, signature, found)

    def predict_files(
        self, paths, signature: str = "serving_default"
    ) -> dict[str, np.ndarray]:
        """The outputs of a signature for the contents of files.

        Args:
            paths: List of paths of files, each a row: encoded images or
                sounds, or texts in UTF-8. They are read batch by batch.
            signature: Name of a signature with one input, strings.

        Returns:
            As `predict`.

        Raises:
            FileNotFoundError: If one is not there; nothing is sent then.
            OSError: If one cannot be read.
            InvalidInputError: As `predict`, and the files are named.
            ConnectionError, RuntimeError, TimeoutError, TypeError, ValueError:
                As `predict`.
        """
        rows = batches.FileRows(paths)
        found = self._signature(signature)
        [(name, spec)] = found.inputs.items()
        if spec.dtype != "string":
            raise TypeError(
                f"The signature {signature!r} takes no files. Got: its input "
                f"{name!r} of dtype {spec.dtype}. Expected strings; read the "
                "files, and call `predict` with an array."
            )
        return self._predict(rows, signature, found)

    def _signature(self, name: str) -> served.Signature:
        checks.instance(name, str, name="signature")
        with self._lock:
            known = self._signatures or self.metadata()
        checks.one_of(name, known, name="signature")
        if len(known[name].inputs) != 1:
            raise ValueError(
                f"The signature {name!r} is not for `predict`. Got: the "
                f"inputs {list(known[name].inputs)}. Expected a signature "
                "with one input."
            )
        return known[name]

    def _predict(self, rows, signature_name, signature):
        def answer(batch, deadline):
            def call(seconds):
                return self._calls.predict(
                    signature_name, signature, batch, seconds
                )

            return self._tried(call, deadline)

        parts = []
        for start in range(0, len(rows), self._batch_size):
            batch = rows[start : start + self._batch_size]
            try:
                outputs = answer(batch, self._deadline())
            except failures.Failure as failure:
                if not failure.is_of_inputs:
                    raise self._explained(failure) from failure
                search = self._search(answer, batch, failure)
                raise _refused(failure, search, start, batch, rows) from failure
            parts.append(batches.checked(outputs, len(batch)))
        return batches.joined(parts, signature)

    def _search(self, answer, batch, failure):
        """The inputs of a batch that the server refuses."""
        if len(batch) == 1:
            return faulty_inputs.Search({0: failure.message})
        deadline = self._deadline()

        def refusal(start, stop):
            try:
                answer(batch[start:stop], deadline)
            except failures.Failure as part_failure:
                if part_failure.is_of_inputs:
                    return part_failure.message
                raise
            return None

        return faulty_inputs.search(refusal, len(batch))

    def _ask(self, call):
        """The answer to a call that is not about inputs."""
        try:
            return self._tried(call, self._deadline())
        except failures.Failure as failure:
            raise self._explained(failure) from failure

    def _tried(self, call, deadline: float):
        if self._is_closed:
            raise ValueError(
                f"The client of {self._where} is closed. Expected an open "
                "one; make a new client, or ask inside of its `with`."
            )
        return retrying.call(
            call, retries=self._retries, deadline=deadline, jitter=self._jitter
        )

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_seconds

    def _explained(self, failure) -> Exception:
        if failure.code == "NOT_FOUND":
            return ValueError(self._not_found(failure))
        return failures.explained(
            failure, where=self._where, timeout_seconds=self._timeout_seconds
        )

    def _not_found(self, failure) -> str:
        """Which of the model and its version the server does not have."""
        try:
            versions = self._tried(self._calls.versions, self._deadline())
        except failures.Failure:
            return (
                f"The server at {self._where} has no such model. Got: "
                f"`model_name={self._model_name!r}`; the server says: "
                f"{failure.message}. Expected the name that the server was "
                "started with (its flag `--model_name`, or its config file)."
            )
        asked = "latest" if self._version is None else self._version
        states = {
            number: f"{one.state}, {one.error}" if one.error else one.state
            for number, one in versions.items()
        }
        return (
            f"The server at {self._where} does not serve that version of "
            f"{self._model_name!r}. Got: version {asked}. Expected one that "
            f"is AVAILABLE; the server has: {states}."
        )


def _check_address(address, protocol):
    """Raises unless there are a host and a port."""
    checks.instance(address, str, name="address")
    schemes = ("http", "https") if protocol == "rest" else ()
    scheme, _, rest = address.rpartition("://")
    try:
        parts = urllib.parse.urlsplit(f"//{rest}")
        is_whole = bool(parts.hostname and (parts.port or scheme))
    except ValueError:
        is_whole = False
    if not is_whole or scheme not in ("", *schemes):
        raise ValueError(
            f"`address` is none for {protocol}. Got: {address!r}. Expected "
            "'host:port', such as 'localhost:8500' for gRPC or "
            "'localhost:8501' for REST; a URL only for REST."
        )


def _refused(failure, search, start, batch, rows) -> ValueError:
    """The exception for a batch that begins at `start` and is refused."""
    said = " ".join(failure.message.split())
    if not search.messages and search.is_complete:
        return ValueError(
            f"The server refuses {len(batch)} inputs together, but none of "
            f"them alone. Got: {said}. Expected a batch that it takes; lower "
            "`batch_size`."
        )
    indices = tuple(start + index for index in search.messages)
    names = None
    if isinstance(rows, batches.FileRows):
        names = tuple(os.fspath(rows.paths[index]) for index in indices)
    message = next(iter(search.messages.values()), failure.message)
    stop = start + len(batch)
    not_sent = ""
    if stop < len(rows):
        not_sent = f" Inputs from {stop} on were not sent."
    return InvalidInputError(
        f"The server refuses {_count(search)} of the inputs {start} to "
        f"{stop - 1}. Got: {_listed(indices, names)}, of which it says: "
        f"{' '.join(message.split())}. Expected what the signature takes; mend "
        f"these or leave them out.{not_sent}",
        indices,
        names,
        message,
    )


def _count(search) -> str:
    if search.is_complete:
        return str(len(search.messages))
    if search.messages:
        return f"{len(search.messages)} or more"
    return "some"


def _listed(indices, names) -> str:
    shown = [str(index) for index in indices[:_MOST_NAMED]]
    if names:
        shown = [
            f"{index} ({name!r})"
            for index, name in zip(shown, names, strict=False)
        ]
    more = len(indices) - len(shown)
    listed = ", ".join(shown) + (f" and {more} more" if more else "")
    return listed or "inputs that were not told apart in time"
