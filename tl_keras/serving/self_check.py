"""Whether an exported model answers as the trained one did.

It is asked in fresh processes: by `tf.saved_model.load` without Keras, by
TensorFlow's C++ loader where there is a compiler, and by a real TensorFlow
Serving where there is one.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from tl_keras.serving import cpp_loader
from tl_keras.serving import exchange
from tl_keras.serving import golden
from tl_keras.serving import model_server

PYTHON = "tf.saved_model.load, in a process without Keras"
LOADER = "TensorFlow's C++ loader"
SERVER = "TensorFlow Serving (tensorflow_model_server)"
_FRESH_CHECK = pathlib.Path(__file__).with_name("fresh_check.py")
_SECONDS = 600
_FILE = "check.json"


class CheckError(ValueError):
    """A served model does not load, or answers otherwise than the trained."""


@dataclasses.dataclass(frozen=True)
class Check:
    """What was checked of a version, and by what.

    Attributes:
        path: The version's folder.
        ran: Who loaded it: name to the largest relative difference of an
            answer from the trained model's.
        not_run: Who could not be asked here: name to the reason.
        requests: How many requests each was sent.
        warmup_records: How many warmup records were replayed.
    """

    path: pathlib.Path
    ran: dict[str, float]
    not_run: dict[str, str]
    requests: int
    warmup_records: int

    def __str__(self):
        lines = [f"{self.path}: {self.requests} requests, answered alike by"]
        lines += [
            f"  {name} (largest relative difference {difference:.1e})"
            for name, difference in self.ran.items()
        ]
        lines += [
            f"  not asked: {name}, since {reason}"
            for name, reason in self.not_run.items()
        ]
        return "\n".join(lines)


def write(checked: Check, folder: pathlib.Path):
    """Writes what was checked into a folder, the version's `assets.extra`."""
    content = dataclasses.asdict(checked)
    del content["path"]
    text = json.dumps(content, indent=2)
    (folder / _FILE).write_text(text + "\n", encoding="utf-8")


def read(version) -> Check | None:
    """What was checked when a version was exported; None if it was not."""
    path = pathlib.Path(version) / "assets.extra" / _FILE
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return Check(path=pathlib.Path(version), **content)


def check(version) -> Check:
    """Loads a version in fresh processes and compares its answers.

    Args:
        version: Folder of a version that `tl_keras.serving.export` wrote.

    Returns:
        A `Check`, which names what was run.

    Raises:
        CheckError: If the version does not load, holds an operation that a
            stock TensorFlow Serving lacks, or answers a request otherwise
            than the trained model did.
        ValueError: If there is no such version, or it has no requests.
    """
    version = pathlib.Path(version)
    if not (version / "saved_model.pb").is_file():
        raise ValueError(
            f"There is no SavedModel in {str(version)!r}. Expected the folder "
            "of a version, such as export/model/1."
        )
    requests, tolerance = golden.read(version / "assets.extra")
    found = {}

    def by_python(folder):
        found.update(_fresh(version, folder))
        return exchange.answers(requests, folder)

    ran = {PYTHON: _difference(PYTHON, by_python, requests, tolerance)}
    others, not_run = _others(version, requests)
    for name, ask in others.items():
        ran[name] = _difference(name, ask, requests, tolerance)
    return Check(
        path=version,
        ran=ran,
        not_run=not_run,
        requests=len(requests),
        warmup_records=found["warmup_records"],
    )


def _others(version, requests):
    """Who else can be asked: name to function; and who cannot: to reason."""
    others, not_run = {}, {}
    program, reason = cpp_loader.program()
    if program is None:
        not_run[LOADER] = reason
    else:

        def by_loader(folder):
            _finish([str(program), str(version), str(folder)], LOADER)
            return exchange.answers(requests, folder)

        others[LOADER] = by_loader
    if shutil.which(model_server.PROGRAM) is None:
        not_run[SERVER] = f"no {model_server.PROGRAM} is on the PATH"
    else:

        def by_server(folder):
            del folder
            try:
                return model_server.answers(requests, version)
            except RuntimeError as error:
                raise CheckError(str(error)) from error

        others[SERVER] = by_server
    return others, not_run


def _difference(name, ask, requests, tolerance) -> float:
    """The largest difference of an answer; raises where it is too large."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        exchange.ask(requests, folder)
        answered = ask(folder)
    largest = 0.0
    for request, answers in zip(requests, answered, strict=True):
        for output, expected in request.outputs.items():
            difference = golden.difference(expected, answers[output])
            largest = max(largest, difference)
            if difference > tolerance:
                raise CheckError(
                    f"The served model does not say what the trained one "
                    f"said. Got, by {name}: {output!r} of signature "
                    f"{request.signature!r} with a relative difference of "
                    f"{difference:.2g}. Expected at most {tolerance:g}. "
                    "Is there a layer that draws random numbers or keeps "
                    "state when it predicts?"
                )
    return largest


def _fresh(version, folder) -> dict:
    """Asks a process without Keras; gives what else it found."""
    program = [sys.executable, str(_FRESH_CHECK), str(version), str(folder)]
    printed = _finish(program, PYTHON)
    found = json.loads(printed.strip().splitlines()[-1])
    foreign = found["foreign_operations"]
    if foreign:
        listed = ", ".join(
            f"{operation} (at {node!r})" for operation, node in foreign.items()
        )
        raise CheckError(
            "The model has operations that a stock TensorFlow Serving lacks. "
            f"Got: {listed}; a node is named after its layer. Expected "
            "operations of TensorFlow alone: replace that layer, or build a "
            "server with these operations and export with `check=False`."
        )
    return found


def _finish(program, name) -> str:
    """Runs a program to its end; gives what it printed."""
    environment = {
        **os.environ,
        # This process may hold the GPUs.
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    # Made for TensorFlow in this process, not for one without Keras.
    environment.pop("KERAS_BACKEND", None)
    try:
        ran = subprocess.run(
            program,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise CheckError(
            f"{name} did not load and answer within {_SECONDS} s."
        ) from error
    if ran.returncode:
        raise CheckError(
            f"The served model does not load and answer by {name}. Got, at "
            f"the end of its messages:\n{ran.stderr.strip()[-2000:]}"
        )
    return ran.stdout
