"""Tells which finished runs differ by more than chance.

    tl-keras compare runs/small runs/large runs/larger --json=compared.json

The runs have to have the same test part. Their predictions for it are compared
example by example: McNemar's test for the accuracy, with Holm's correction
where there are more than two runs, and paired bootstrap intervals.
"""

import json
import pathlib

from absl import app
from absl import flags

from tl_keras.cli import common  # noqa: F401

flags.declare_key_flag("debug")

JSON = flags.DEFINE_string("json", None, "File for the figures.")


def main(argv):
    """Prints the scores of each run, and the differences of each two."""
    if len(argv) < 3:
        raise app.UsageError(
            f"Too few runs. Got: {argv[1:]}. Expected the workdirs of at "
            "least two, for example: tl-keras compare runs/first runs/second"
        )
    # scikit-learn takes a second to import, and a wrong flag needs none of it.
    from tl_keras import comparisons

    found = comparisons.compare(argv[1:])
    print(found)
    if JSON.value:
        text = json.dumps(found.as_dict(), indent=2)
        pathlib.Path(JSON.value).write_text(text + "\n", encoding="utf-8")
