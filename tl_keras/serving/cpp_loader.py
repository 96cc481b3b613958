"""TensorFlow's C++ loader, the one that TensorFlow Serving is built on."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import tensorflow as tf

from tl_keras import caches

_SOURCE = pathlib.Path(__file__).with_name("loader_check.cc")
_COMPILERS = ("g++", "clang++")
_COMPILE_SECONDS = 600


def program() -> tuple[pathlib.Path | None, str]:
    """The program that loads a SavedModel and answers requests.

    It is compiled against the installed TensorFlow when it is first asked
    for, which takes about 20 seconds, and kept in the cache.

    Returns:
        The program's path, or None where it cannot be made here; and why.
    """
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        return None, f"there is no compiler ({' or '.join(_COMPILERS)})"
    built = caches.folder("loader_check") / _key(compiler)
    if built.is_file():
        return built, ""
    try:
        built.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=built.parent) as beside:
            whole = pathlib.Path(beside) / "loader_check"
            ran = subprocess.run(
                _command(compiler, whole),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_COMPILE_SECONDS,
            )
            if ran.returncode:
                first = (ran.stderr.strip() or "no message").splitlines()[0]
                return None, f"{compiler} failed: {first}"
            os.replace(whole, built)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"{compiler} failed: {error}"
    return built, ""


def _command(compiler, program):
    libraries = tf.sysconfig.get_lib()
    return [
        compiler,
        "-w",  # Of TensorFlow's own headers there are many warnings.
        *tf.sysconfig.get_compile_flags(),
        str(_SOURCE),
        "-o",
        str(program),
        f"-L{libraries}",
        f"-Wl,-rpath,{libraries}",
        # Without it, the library that registers sessions is left out.
        "-Wl,--no-as-needed",
        "-l:libtensorflow_cc.so.2",
        "-l:libtensorflow_framework.so.2",
    ]


def _key(compiler) -> str:
    """What the program was made of, by content."""
    parts = [
        _SOURCE.read_text(encoding="utf-8"),
        tf.version.VERSION,
        tf.version.GIT_VERSION,
        *_command(compiler, "program"),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
