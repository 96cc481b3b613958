"""Which features work under which strategy, and how far from one device.

    python benchmarks/strategies_table.py

Runs each feature of `tests/strategy_features_for_tests.py` on one device, on
replicas (logical CPU devices) and on workers (processes), and prints a table in
Markdown: the largest difference of any loss, score or weight from one device.
Beside it stands what `model.fit` of plain Keras does with the same
(`tests/stock_features_for_tests.py`), or the error that it raises.

It takes about half an hour on two cores. `--features=fit,text` and
`--settings="2 replicas"` take less.
"""

import pathlib
import re
import sys
import tempfile

import numpy as np
from absl import app
from absl import flags

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

import processes_for_tests  # noqa: E402

FEATURES = flags.DEFINE_list("features", None, "Some features; else all.")
SETTINGS = flags.DEFINE_list("settings", None, "Some settings; else all.")
OUT = flags.DEFINE_string("out", None, "Folder for what the features give.")
SECONDS = flags.DEFINE_float("seconds", 900.0, "Limit for a setting.")

ONE = "one device"
# What it is, with the name of ours and of Keras' features.
ROWS = {
    "`fit`": "fit",
    "`evaluate`": "evaluate",
    "`predict`": "predict",
    "texts, tokenised in the model": "text",
    "texts to a TF Hub module": "hub_strings",
    "a last batch of 5 of 12": "uneven_last_batch",
    "a last batch of 1": "batch_smaller_than_replicas",
    "the same, BatchNormalization training": "batch_norm",
    "a bare dataset with weights": "dataset",
    "flip, MixUp, CutMix, class weights": "augmentation",
    "4 steps per execution": "steps_per_execution",
    "gradient accumulation": "accumulation",
    "averages of weights": "averaged_weights",
    "mixed_bfloat16": "mixed_precision",
    "mixed_float16": "float16",
    "prefix cache": "prefix_cache",
    "crash, and going on": "resume",
    "TF Hub encoder, trained": "hub_encoder",
    "saved and exported by the chief": "export",
}


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    rows = {
        text: name
        for text, name in ROWS.items()
        if FEATURES.value is None or name in FEATURES.value
    }
    settings = SETTINGS.value or list(processes_for_tests.SETTINGS)
    folder = pathlib.Path(OUT.value or tempfile.mkdtemp())
    for whose in ("ours", "keras"):
        # On one device first: it makes what others read, and is compared to.
        for setting in dict.fromkeys([ONE, *settings]):
            print(f"{whose}: {setting}", file=sys.stderr, flush=True)
            printed = processes_for_tests.run_features(
                setting,
                whose,
                rows.values(),
                folder / whose,
                seconds=SECONDS.value,
            )
            for number, text in enumerate(printed):
                log = folder / whose / f"{setting} {number}.log"
                log.write_text(text)
    print(table(rows, settings, folder))


def table(rows, settings, folder) -> str:
    """The table, from what the features have left in the folder."""
    head = ["", *settings]
    lines = [_line(head), _line(["---"] * len(head))]
    for text, name in rows.items():
        for whose, label in (("ours", text), ("keras", "... plain Keras")):
            cells = [_cell(folder / whose, one, name) for one in settings]
            lines.append(_line([label, *cells]))
    return "\n".join(lines)


def _line(cells) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(folder, setting, name) -> str:
    kind, count = processes_for_tests.SETTINGS[setting]
    workers = count if kind == "WORKERS" else 1
    cells = [_of_worker(folder, setting, name, n) for n in range(workers)]
    return max(cells, key=lambda cell: (not cell[:1].isdigit(), cell))


def _of_worker(folder, setting, name, number) -> str:
    path = folder / setting / f"{name}-{number}"
    error = path.with_suffix(".txt")
    if error.exists():
        return _shortened(error.read_text())
    try:
        found = np.load(path.with_suffix(".npz"))
    except FileNotFoundError:
        return "did not end"
    if not all(np.isfinite(found[key]).all() for key in found.files):
        return "NaN"
    if setting == ONE:
        return "works"
    try:
        expected = np.load(folder / ONE / f"{name}-0.npz")
    except FileNotFoundError:
        return "works"
    if found.files != expected.files:
        return "other results"
    differences = [
        np.abs(np.subtract(found[key], expected[key], dtype="float64")).max()
        for key in found.files
    ]
    return f"{max(differences):.0e}"


def _shortened(error: str) -> str:
    line = re.sub(r"\s+", " ", error).replace("|", "/")
    return line if len(line) <= 90 else f"{line[:87]}..."


if __name__ == "__main__":
    app.run(main)
