"""Work in a process of its own, timed, with its memory watched from outside."""

import importlib
import multiprocessing
import pathlib
import time
import traceback

_PERIOD_SECONDS = 0.05
_FIELDS = ("RssAnon", "RssFile")


def measure(prepare: str, *arguments) -> dict:
    """Carries out some work in a new process.

    Args:
        prepare: `"MODULE.FUNCTION"`, so that this process imports none of
            it. The function reads what the work begins with, and returns a
            function without arguments: the work itself, which is what is
            measured. That returns a dict.
        *arguments: Of `prepare`.

    Returns:
        The work's dict, with `seconds`, and `memory_mb`: the anonymous and
        the file-backed resident memory of the process (MB, 2**20 bytes) at
        the `start` of the work and at its `peak`, each on its own.

    Raises:
        RuntimeError: If the work fails, with its traceback.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(
        target=_carry_out, args=(theirs, prepare, arguments), daemon=True
    )
    process.start()
    theirs.close()
    try:
        _receive(mine)
        start = resident_mb(process.pid)
        peak = dict(start)
        while not mine.poll(_PERIOD_SECONDS):
            now = resident_mb(process.pid)
            peak = {field: max(now[field], peak[field]) for field in peak}
        outcome = _receive(mine)
    finally:
        process.terminate()
        process.join()
    return {**outcome, "memory_mb": {"start": start, "peak": peak}}


def resident_mb(process_id="self") -> dict[str, float]:
    """Anonymous and file-backed resident memory of a process, in MB."""
    status = pathlib.Path(f"/proc/{process_id}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    # A process that has just ended has none.
    return {
        field: int(lines.get(field, "0 kB").split()[0]) / 1024
        for field in _FIELDS
    }


def _carry_out(connection, prepare, arguments):
    try:
        module, _, function = prepare.rpartition(".")
        work = getattr(importlib.import_module(module), function)(*arguments)
        connection.send({})
        began = time.perf_counter()
        outcome = work()
        outcome["seconds"] = time.perf_counter() - began
    except Exception:  # Whatever it is, it is told where it can be seen.
        outcome = {"error": traceback.format_exc()}
    connection.send(outcome)


def _receive(connection) -> dict:
    try:
        outcome = connection.recv()
    except EOFError as error:
        raise RuntimeError("The process ended without an answer.") from error
    if "error" in outcome:
        raise RuntimeError(outcome["error"])
    return outcome
