"""Images that a CSV table lists."""

import collections
import csv
import math
import pathlib

from tl_keras import checks
from tl_keras.data import examples
from tl_keras.data import files
from tl_keras.data import labels as labels_

_COLUMNS = ("path", "label")
_MISSING = ("", "-1")

_Row = collections.namedtuple("_Row", "line path label split")


def read(path: str) -> examples.Source:
    """Reads a table with a header and one image per line.

    The column `path` is relative to the table's folder (or absolute), `label`
    is the class's name, and `split`, if there is one, is `train`,
    `validation` (or `val`, `valid`) or `test`. Other columns are not read.
    Classes are the training part's labels in sorted order, as numbers if all
    of them are. If all labels of the test part are missing (empty or -1), it
    is left out with a warning.

    Args:
        path: Path of a CSV file in UTF-8, separated by commas.

    Raises:
        FileNotFoundError: If the table, or an image that it lists, is not
            there.
        ValueError: If a column or a label is missing, a label or a split is
            unknown, or numbers as labels are not whole. The message names the
            table and the line.
    """
    table = pathlib.Path(path).expanduser()
    if not table.is_file():
        raise FileNotFoundError(
            f"No such file: {str(table)!r}. Expected `csv:PATH`, a table with "
            "the columns path and label."
        )
    by_split = collections.defaultdict(list)
    for row in _rows(table):
        by_split[row.split].append(row)
    if not by_split["train"]:
        raise ValueError(
            f"{table} lists no training images. Expected rows, and, if there "
            "is a column `split`, some whose split is `train`."
        )
    test = by_split["test"]
    if test and all(row.label in _MISSING for row in test):
        labels_.are_missing(None, where=f"in {table}")
        del by_split["test"]
    class_names = _class_names(table, by_split)
    splits = {
        split: _to_examples(rows, class_names)
        for split, rows in by_split.items()
        if rows
    }
    return examples.Source(f"csv:{path}", class_names, **splits)


def _rows(table):
    with open(table, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        found = reader.fieldnames or []
        for column in _COLUMNS:
            if column not in found:
                raise ValueError(
                    f"{table} has no column `{column}`. Got: {found}. Expected "
                    "a header with `path`, `label` and optionally `split`."
                    + checks.did_you_mean(column, found)
                )
        return [_row(table, reader.line_num, values) for values in reader]


def _row(table, line, values):
    path = (values["path"] or "").strip()
    if not path:
        raise ValueError(f"{table}, line {line}: there is no path.")
    image = table.parent / pathlib.Path(path).expanduser()
    if not image.is_file():
        raise FileNotFoundError(
            f"{table}, line {line}: no such file: {str(image)!r}. Expected a "
            "path relative to the table's folder."
        )
    split = "train"
    if "split" in values:
        split = (values["split"] or "").strip().lower()
        checks.one_of(
            split, files.SPLIT_NAMES, name=f"{table}, line {line}: split"
        )
    label = (values["label"] or "").strip()
    return _Row(line, image, label, files.SPLIT_NAMES[split])


def _class_names(table, by_split):
    """Labels of the training part, sorted; all labels are checked."""
    rows = [row for part in by_split.values() for row in part]
    for row in rows:
        if not row.label:
            raise ValueError(f"{table}, line {row.line}: there is no label.")
    names = {row.label for row in by_split["train"]}
    if all(_number(row.label) is not None for row in rows):
        _check_whole(table, rows)
        class_names = tuple(sorted(names, key=lambda name: int(float(name))))
    else:
        class_names = tuple(sorted(names))
    for row in rows:
        if row.label not in names:
            raise ValueError(
                f"{table}, line {row.line}: label {row.label!r} is no class of "
                "the training part. Expected one of: "
                f"{', '.join(map(repr, class_names[:20]))}."
                + checks.did_you_mean(row.label, class_names)
            )
    return class_names


def _number(label):
    try:
        return float(label)
    except ValueError:
        return None


def _check_whole(table, rows):
    for row in rows:
        number = float(row.label)
        if not math.isfinite(number) or number % 1:
            raise ValueError(
                f"{table}, line {row.line}: label {row.label!r} is no whole "
                "number. Expected the names of classes, or whole numbers."
            )


def _to_examples(rows, class_names):
    number = {name: index for index, name in enumerate(class_names)}
    return files.to_examples(
        [row.path for row in rows], [number[row.label] for row in rows]
    )
