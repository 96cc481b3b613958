"""The workers of a training as `TF_CONFIG` names them."""

import dataclasses
import json
import os
import socket

VARIABLE = "TF_CONFIG"
_EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
_ROLES = ("chief", "worker")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Who takes part in a training, and which one this process is.

    Attributes:
        addresses: `HOST:PORT` of each worker, the chief first.
        index: The place of this process among them.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def port(self) -> int:
        """The port that this process listens on."""
        return int(self.addresses[self.index].rpartition(":")[2])


def read(environment=None) -> Cluster:
    """The cluster that the environment variable `TF_CONFIG` describes.

    Kubeflow's TFJob sets it, and so do others; it is JSON. Without a `chief`,
    the first `worker` is the chief.

    Args:
        environment: A dict of variables; None is `os.environ`.

    Raises:
        ValueError: If there is none, or it is wrong.

    Example:
        >>> read({"TF_CONFIG": json.dumps({
        ...     "cluster": {"worker": ["a:2222", "b:2222"]},
        ...     "task": {"type": "worker", "index": 1},
        ... })})
        Cluster(addresses=('a:2222', 'b:2222'), index=1)
    """
    environment = os.environ if environment is None else environment
    text = environment.get(VARIABLE, "")
    if not text.strip():
        raise ValueError(
            "`strategy='multiworker'` reads the workers' addresses from the "
            f"environment variable {VARIABLE}, which is not set. Expected, in "
            f"each worker's environment with its own index: {_EXAMPLE}."
        )
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _wrong(f"it is no JSON ({error})", text) from error
    jobs = _section(content, "cluster", text)
    task = _section(content, "task", text)
    role, index = task.get("type"), task.get("index")
    if role not in _ROLES:
        raise _wrong(
            f"its task has the type {role!r}, which takes no part in the "
            f"training: that is for {' and '.join(_ROLES)}. Keras 3 has no "
            "parameter servers, and `fit` validates by itself",
            text,
        )
    others = sorted(set(jobs) - {*_ROLES, "evaluator"})
    if others:
        raise _wrong(
            f"its cluster has {others}. Expected {' and '.join(_ROLES)}: "
            "Keras 3 trains without parameter servers",
            text,
        )
    found = {job: _addresses(jobs, job, text) for job in _ROLES}
    if len(found["chief"]) > 1:
        raise _wrong("its cluster has more than one chief", text)
    is_number = isinstance(index, int) and not isinstance(index, bool)
    if not is_number or not 0 <= index < len(found[role]):
        raise _wrong(
            f"its task is {role} {index!r}, and the cluster has "
            f"{len(found[role])} of these, counted from 0",
            text,
        )
    addresses = (*found["chief"], *found["worker"])
    if len(set(addresses)) < len(addresses):
        raise _wrong("it names an address twice", text)
    before = 0 if role == "chief" else len(found["chief"])
    return Cluster(addresses, before + index)


def check_port(cluster: Cluster):
    """Makes sure that this process can listen where others look for it.

    Raises:
        OSError: If another program listens there.
    """
    with socket.socket() as listener:
        # As TensorFlow does: what a worker before has just closed is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", cluster.port))
        except OSError as error:
            raise OSError(
                error.errno,
                f"Port {cluster.port} of this worker "
                f"({cluster.addresses[cluster.index]} in {VARIABLE}) cannot be "
                f"used: {error.strerror}. End what listens there, or choose "
                "another port",
            ) from error


def _section(content, name: str, text: str) -> dict:
    section = content.get(name) if isinstance(content, dict) else None
    if not isinstance(section, dict):
        raise _wrong(f"it has no {name!r} with names and values", text)
    return section


def _addresses(jobs: dict, job: str, text: str) -> list[str]:
    addresses = jobs.get(job, [])
    if not isinstance(addresses, list):
        raise _wrong(f"the {job} addresses are no list", text)
    for address in addresses:
        host, _, port = str(address).rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 2**16:
            raise _wrong(
                f"{address!r} is no address. Expected HOST:PORT with a port "
                "from 1 to 65535",
                text,
            )
    return addresses


def _wrong(reason: str, text: str) -> ValueError:
    return ValueError(
        f"{VARIABLE} is wrong: {reason}. Got: {text}. Expected, for example: "
        f"{_EXAMPLE}."
    )
