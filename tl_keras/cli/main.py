"""Finds the subcommand, reads its flags, and words its errors."""

import importlib
import os
import re
import sys
import traceback

from absl import app
from absl import flags
from absl import logging

from tl_keras import checks

COMMANDS = {
    "finetune": "Fine-tune an encoder on a data set, evaluate and export it.",
    "evaluate": "Evaluate the model of a workdir again.",
    "compare": "Tell which runs differ by more than chance.",
    "predict": "Classify images, texts or sound with the model of a workdir.",
    "explain": "Show which parts of images or texts speak for a class.",
    "export": "Export the model of a workdir for servers and phones.",
    "audit": "Find duplicates, doubtful labels and broken files in data.",
    "report": "Write the report of a run as one HTML page.",
    "cache": "List or clear what is kept of frozen layers.",
    "doctor": "Show versions, devices, and what can be loaded here.",
}
HELP_FLAGS = ("--help", "-help", "-h", "--helpfull", "--helpshort")


def run(argv=None):
    """Runs the subcommand that `argv` names, and exits.

    Exit codes are 0 for success and for `--help`, 1 where the work failed, 2
    where the command line is wrong, and 130 where it was interrupted.

    Args:
        argv: Strings, the program's name first. None: `sys.argv`.
    """
    arguments = list(sys.argv if argv is None else argv)[1:]
    if not arguments:
        _refuse("No command was given.", hint=overview())
    command, *rest = arguments
    if command in HELP_FLAGS:
        print(overview())
        sys.exit(0)
    if command not in COMMANDS:
        try:
            checks.one_of(command, COMMANDS, name="command")
        except ValueError as error:
            _refuse(error, hint="`tl-keras --help` describes the commands.")
    module = importlib.import_module(f"tl_keras.cli.{command}")
    app.run(
        _with_worded_errors(module.main),
        argv=[f"tl-keras {command}", *rest],
        flags_parser=lambda argv: _parse(argv, module),
    )


def overview() -> str:
    """What `tl-keras --help` prints."""
    lines = [f"  {name:10}{text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "Transfer learning for Keras 3 on TensorFlow.",
            "",
            "Usage: tl-keras COMMAND [--flag=value ...]",
            "",
            *lines,
            "",
            "`tl-keras COMMAND --help` shows the flags of a command.",
        ]
    )


def _parse(argv, module):
    """The arguments that are not flags; shows help, refuses a wrong flag."""
    if any(argument in HELP_FLAGS for argument in argv[1:]):
        print(module.__doc__)
        print("Flags:")
        print(flags.FLAGS.module_help(module).split("\n", 2)[2])
        sys.exit(0)
    # Flags may come after the images of `predict`, too.
    flags.FLAGS.set_gnu_getopt()
    hint = f"`{argv[0]} --help` shows its flags."
    try:
        arguments = flags.FLAGS(argv)
    except flags.Error as error:
        _refuse(error, hint=hint)
    strange = [f"--{flag.name}" for flag in _given_to_others(module)]
    if strange:
        _refuse(f"{argv[0]} has no flag {', '.join(strange)}.", hint=hint)
    return arguments


def _given_to_others(module) -> list:
    """Flags on the command line that are for other commands."""
    own = flags.FLAGS.get_key_flags_for_module(module)
    # A command has the flags of each module that it imports.
    shared = [
        flag
        for name, defined in flags.FLAGS.flags_by_module_dict().items()
        if name.startswith("tl_keras.cli.")
        for flag in defined
    ]
    return [flag for flag in shared if flag.present and flag not in own]


# What tl_keras raises in words; a loss that became NaN is the last one.
_WORDED = (ValueError, TypeError, OSError, ImportError, FloatingPointError)


def _with_worded_errors(main):
    """`main`, where a user's mistake is one sentence and no traceback."""

    def guarded(argv):
        # TensorFlow's start-up notes would bury what the command prints; what
        # matters of them comes as an exception, too.
        if not flags.FLAGS.debug:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            logging.set_verbosity(logging.ERROR)
        try:
            main(argv)
        except app.UsageError as error:
            _refuse(error, hint=f"`{argv[0]} --help` shows its flags.")
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            sys.exit(130)
        except Exception as error:
            sentence = _sentence(error)
            if sentence is None:
                raise
            if flags.FLAGS.debug:
                traceback.print_exc()
            else:
                print(f"{sentence}\n(--debug shows where.)", file=sys.stderr)
            sys.exit(1)

    return guarded


def _sentence(error) -> str | None:
    """What a user is told of an error; None where it is a bug of ours."""
    if isinstance(error, _WORDED):
        return str(error)
    if type(error).__name__ == "WorkerError":
        return str(error)
    # Of what is read while training, the message of our own check arrives
    # among much that TensorFlow adds.
    asserted = re.search(
        r"assertion failed: \[(.*?)\]\s*(\n|$)", str(error), re.DOTALL
    )
    is_tensorflows = type(error).__module__.startswith("tensorflow.")
    return asserted[1] if is_tensorflows and asserted else None


def _refuse(error, *, hint: str):
    print(f"{error}\n{hint}", file=sys.stderr)
    sys.exit(2)
