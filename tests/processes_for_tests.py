"""Programs under a strategy: alone, with replicas, or as several workers."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent
FEATURES = TESTS / "strategy_features_for_tests.py"
# Name to how many logical devices, or how many processes.
SETTINGS = {
    "one device": ("REPLICAS", 1),
    "2 replicas": ("REPLICAS", 2),
    "4 replicas": ("REPLICAS", 4),
    "2 workers": ("WORKERS", 2),
    "3 workers": ("WORKERS", 3),
}


@contextlib.contextmanager
def two_hosts():
    """Two addresses, and what to put in front of a command to run it there.

    Two network namespaces with a cable between them, as two machines have;
    where these may not be made, two addresses of this machine.

    Yields:
        Two pairs of an address and the beginning of a command.
    """
    names = [f"tlk{os.getpid()}{letter}" for letter in "ab"]
    hosts = ["10.203.71.1", "10.203.71.2"]
    one, other = names
    made = _ip(f"link add {one} type veth peer name {other}") and all(
        _ip(line)
        for name, host in zip(names, hosts, strict=True)
        for line in (
            f"netns add {name}",
            f"link set {name} netns {name}",
            f"-n {name} addr add {host}/24 dev {name}",
            f"-n {name} link set {name} up",
            f"-n {name} link set lo up",
        )
    )
    try:
        if made:
            prefixes = [["ip", "netns", "exec", name] for name in names]
            yield list(zip(hosts, prefixes, strict=True))
        else:
            yield [("127.0.0.1", []), ("127.0.0.2", [])]
    finally:
        for name in names:
            _ip(f"netns del {name}")


def _ip(arguments: str) -> bool:
    try:
        done = subprocess.run(["ip", *arguments.split()], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def tf_configs(count: int, hosts=("127.0.0.1",)) -> list[str]:
    """A `TF_CONFIG` for each of some workers, on ports that are free."""
    listeners = [socket.socket() for _ in range(count)]
    for listener in listeners:
        listener.bind(("", 0))
    addresses = [
        f"{hosts[number % len(hosts)]}:{listener.getsockname()[1]}"
        for number, listener in enumerate(listeners)
    ]
    for listener in listeners:
        listener.close()
    return [
        json.dumps(
            {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": number},
            }
        )
        for number in range(count)
    ]


def start(command, environments, prefixes=None) -> list[subprocess.Popen]:
    """A process for each environment, which adds to this one's.

    Args:
        command: What to run.
        environments: Dicts of variables.
        prefixes: What goes in front of the command, for each; None for
            nothing.
    """
    prefixes = prefixes or [[]] * len(environments)
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), *sys.path])
    return [
        subprocess.Popen(
            [*prefix, *command],
            env=os.environ
            | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for environment, prefix in zip(environments, prefixes, strict=True)
    ]


def finish(processes, seconds: float) -> list[str]:
    """What each has printed; those that take longer are ended."""
    printed = []
    for process in processes:
        try:
            printed.append(process.communicate(timeout=seconds)[0])
        except subprocess.TimeoutExpired:
            process.kill()
            printed.append(process.communicate()[0])
    return printed


def run_features(setting, whose, names, folder, *, seconds=600.0) -> list[str]:
    """Runs features under a setting; see `strategy_features_for_tests.py`.

    Args:
        setting: A key of `SETTINGS`.
        whose: "ours" or "keras".
        names: Names of features.
        folder: A `pathlib.Path`; what they give is in its folder SETTING.
        seconds: How long it may take.

    Returns:
        What each process printed.
    """
    kind, count = SETTINGS[setting]
    shared = {
        "MODULES": str(folder / "modules"),
        "SHARED_FOLDER": str(folder / f"{whose} {setting} shared"),
    }
    environments = [shared]
    if kind == "WORKERS":
        configs = tf_configs(count)
        environments = [{**shared, "TF_CONFIG": one} for one in configs]
    elif count > 1:
        environments = [{**shared, "REPLICAS": str(count)}]
    command = [sys.executable, FEATURES, whose, folder / setting, *names]
    return finish(start(command, environments), seconds)
