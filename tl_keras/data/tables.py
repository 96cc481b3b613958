"""Texts, or files, that a table lists."""

import collections
import dataclasses
import pathlib
import re

import numpy as np

from tl_keras import checks
from tl_keras.data import examples
from tl_keras.data import files
from tl_keras.data import labels as labels_
from tl_keras.data import table_rows
from tl_keras.data import texts

_MISSING = ("", "-1", "-1.0")
_WHOLE_NUMBER = re.compile(r"[+-]?\d+(\.0*)?")

# `value` is a text, or the path of a file.
_Row = collections.namedtuple("_Row", "where id value label split others")


def read(path: str, form: str, columns) -> examples.Source:
    """Reads a table of one labelled example per line, or a folder of tables.

    A table with a column `path` lists files: images, sound files or texts,
    relative to the table's folder (or absolute). Any other holds texts, and
    so does one with `path` if its texts are asked for by another name than
    `text`. The column of labels has the classes' names. In `split`, if there
    is such a column, is `train`, `validation` (or `val`, `valid`, `dev`) or
    `test`. Other columns are kept as texts, for metrics by their values and
    for groups. Classes are the training part's labels
    in sorted order, as numbers if all of them are. If all labels of the test
    part are missing (empty or -1), it is left out with a warning.

    In a folder, the tables are named by the same words: `train.tsv` etc.

    Args:
        path: Path of the table or the folder.
        form: `"csv"` or `"tsv"`, see `table_rows.read`.
        columns: A `table_columns.Columns`: where texts and labels are.

    Raises:
        FileNotFoundError: If the table, or a file that it lists, is not
            there.
        ValueError: If a column, a text or a label is missing, a label or a
            split is unknown, numbers as labels are not whole, or a line
            cannot be read. The message names the table and the line.
    """
    rows, sources = [], {}
    for table, split in _tables(path, form).items():
        lines = table_rows.read(table, form)
        roles = columns.find(table, lines)
        if split and "split" in roles:
            raise ValueError(
                f"{table} has a column `split`, and its own name says the "
                f"part. Remove the column, or load `{form}:{table}`."
            )
        others = _others(lines[0][1], roles) if columns.header_lines else {}
        rows += _rows(
            table, lines[columns.header_lines :], roles, others, split
        )
        sources.setdefault("text" in roles, table)
    if len(sources) > 1:
        raise ValueError(
            f"One table holds texts, another the paths of files. Got: "
            f"{sources[True]}, {sources[False]}. Expected all alike."
        )
    return _to_source(f"{form}:{path}", rows, holds_texts=True in sources)


def column(path: str, form: str, columns, name: str) -> dict[str, str]:
    """A further column of a table, or of all tables of a folder.

    Args:
        path, form, columns: As `read` takes them.
        name: The column's name; its position where the others are positions.

    Returns:
        Dict of an example's id to what the column says of it.

    Raises:
        ValueError: If a table has no such column.
    """
    found = {}
    for table, split in _tables(path, form).items():
        lines = table_rows.read(table, form)
        roles = columns.find(table, lines)
        position = columns.position_of(name, table, lines)
        rest = lines[columns.header_lines :]
        rows = _rows(table, rest, roles, {}, split)
        for row, (_, cells) in zip(rows, rest, strict=True):
            found[row.id] = cells[position].strip()
    return found


def _tables(path, form):
    """Each table and the part that its name says, or None."""
    root = pathlib.Path(path).expanduser()
    if root.is_file():
        return {root: None}
    if not root.is_dir():
        raise FileNotFoundError(
            f"No such file: {str(root)!r}. Expected `{form}:PATH`, a table "
            "with the columns text and label, or path and label, or a folder "
            f"with train.{form}."
        )
    found = {}
    for table in sorted(root.iterdir()):
        is_table = table.suffix.lower() == f".{form}" and table.is_file()
        if not is_table or files.is_hidden(table):
            continue
        split = files.SPLIT_NAMES.get(table.stem)
        if split is None or split in found.values():
            raise ValueError(
                f"{table} is not expected in a folder of tables. Expected "
                f"train.{form}, test.{form}, and one of validation.{form}, "
                f"val.{form}, valid.{form}, dev.{form}."
            )
        found[table] = split
    if "train" not in found.values():
        raise ValueError(
            f"{root} has no training part. Got the tables: "
            f"{[table.name for table in found]}. Expected train.{form}."
        )
    return found


def _others(names, roles) -> dict[str, int]:
    """The positions of columns that have a name of their own and no role."""
    names = [name.strip() for name in names]
    return {
        name: position
        for position, name in enumerate(names)
        if name and names.count(name) == 1 and position not in roles.values()
    }


def _rows(table, lines, roles, others, split):
    for line, cells in lines:
        row = {role: cells[position] for role, position in roles.items()}
        where = f"{table}, line {line}"
        if "text" in row:
            id_ = f"{table}:{line}"
            value = texts.not_empty(row["text"], where)
        else:
            value = _file(table, row["path"].strip(), where)
            id_ = str(value)
        part = split or _split(row.get("split", "train"), where)
        kept = {name: cells[position] for name, position in others.items()}
        yield _Row(where, id_, value, row["label"].strip(), part, kept)


def _file(table, path, where):
    if not path:
        raise ValueError(f"{where}: there is no path.")
    file = table.parent / pathlib.Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"{where}: no such file: {str(file)!r}. Expected a path relative "
            "to the table's folder."
        )
    return file


def _split(name, where):
    name = name.strip().lower()
    checks.one_of(name, files.SPLIT_NAMES, name=f"{where}: split")
    return files.SPLIT_NAMES[name]


def _to_source(name, rows, holds_texts):
    by_split = collections.defaultdict(list)
    for row in rows:
        by_split[row.split].append(row)
    if "train" not in by_split:
        raise ValueError(
            f"{name} lists no training examples. Expected rows, and, if there "
            "is a column `split`, some whose split is `train`."
        )
    if "test" in by_split and _lack_labels(by_split["test"]):
        labels_.are_missing(None, where=f"in {name}")
        del by_split["test"]
    class_names = _class_names(by_split)
    numbers = {name: number for number, name in enumerate(class_names)}
    kind = "text" if holds_texts else _kind(name, rows)
    splits = {}
    for split, part in by_split.items():
        labels = [numbers[row.label] for row in part]
        values = [row.value for row in part]
        if holds_texts:
            ids = [row.id for row in part]
            found = texts.to_examples(values, labels, ids)
        else:
            found = files.to_examples(values, labels, kind)
        splits[split] = dataclasses.replace(found, columns=_columns(part))
    return examples.Source(name, class_names, **splits)


def _columns(rows) -> dict[str, np.ndarray]:
    """Other columns as arrays; a table of a folder may lack one."""
    names = {name: None for row in rows for name in row.others}
    return {
        name: np.array([row.others.get(name, "") for row in rows], object)
        for name in names
    }


def _lack_labels(rows):
    return all(row.label in _MISSING for row in rows)


def _kind(name, rows):
    # A file of an unknown kind may be an image that can be decoded.
    return files.common_kind(
        ((row.value, files.kind_of(row.value) or "image") for row in rows), name
    )


def _class_names(by_split):
    """Labels of the training part, sorted; all labels are checked."""
    rows = [row for part in by_split.values() for row in part]
    for row in rows:
        if not row.label:
            raise ValueError(f"{row.where}: there is no label.")
    names = {row.label for row in by_split["train"]}
    if all(_number(row.label) is not None for row in rows):
        _check_whole(rows)
        class_names = tuple(sorted(names, key=float))
    else:
        class_names = tuple(sorted(names))
    for row in rows:
        if row.label not in names:
            raise ValueError(
                f"{row.where}: label {row.label!r} is no class of the training "
                "part. Expected one of: "
                f"{', '.join(map(repr, class_names[:20]))}."
                + checks.did_you_mean(row.label, class_names)
            )
    return class_names


def _number(label):
    try:
        return float(label)
    except ValueError:
        return None


def _check_whole(rows):
    spellings = {}
    for row in rows:
        if not _WHOLE_NUMBER.fullmatch(row.label):
            raise ValueError(
                f"{row.where}: label {row.label!r} is no whole number. "
                "Expected the names of classes, or whole numbers."
            )
        first = spellings.setdefault(float(row.label), row)
        if first.label != row.label:
            raise ValueError(
                f"{row.where}: label {row.label!r} is the number that "
                f"{first.where} writes as {first.label!r}. Write each class "
                "in one way."
            )
