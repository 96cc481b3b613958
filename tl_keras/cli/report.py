"""Writes report.html of a finished run: all that its workdir knows of it.

tl-keras report --workdir=runs/cifar10

A model_card.md in the workdir becomes a part of it; so does what `tl-keras
audit`, `explain` and `evaluate` have written there.
"""

from absl import flags

from tl_keras.cli import common

flags.declare_key_flag("workdir")
flags.declare_key_flag("debug")


def main(argv):
    """Reads the workdir, and prints where the report is."""
    common.no_arguments(argv)
    workdir = common.required_workdir()
    # matplotlib takes a second to import, and a wrong flag needs none of it.
    from tl_keras import reporting

    print(reporting.write(workdir))
