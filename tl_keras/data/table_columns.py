"""Which columns of a table hold texts or paths, labels, and names of parts."""

import collections
import dataclasses

from tl_keras import checks

TEXT = "text"
LABEL = "label"
_SHOWN_CHARACTERS = 30


@dataclasses.dataclass(frozen=True)
class Columns:
    """Where a table's texts and labels are.

    Attributes:
        text: Name of a column in the header, or a position from 0 in a table
            without a header.
        label: Likewise.
    """

    text: str | int
    label: str | int

    @property
    def header_lines(self) -> int:
        """How many lines hold names: 1 or 0."""
        return int(isinstance(self.text, str))

    def find(self, table, lines) -> dict[str, int]:
        """The positions of `"text"` or `"path"`, `"label"`, and `"split"`.

        Args:
            table: Path of the table, for errors.
            lines: `(line, cells)` of each row, see `table_rows.read`.

        Raises:
            ValueError: If there is no such column. The message lists the
                first line and proposes what is nearest.
        """
        if not lines:
            raise ValueError(f"{table} is empty. Expected a line per example.")
        first = lines[0][1]
        if not self.header_lines:
            return self._by_position(table, lines, len(first))
        names = [name.strip() for name in first]
        text = self.text
        # Unless a column of texts is asked for, files are what is listed.
        is_of_files = text == TEXT and "path" in names
        roles = {"path": "path"} if is_of_files else {"text": text}
        roles["label"] = self.label
        if "split" in names:
            roles["split"] = "split"
        for name in roles.values():
            _check_name(table, name, names)
        return {role: names.index(name) for role, name in roles.items()}

    def position_of(self, name: str, table, lines) -> int:
        """The position of a further column.

        Args:
            name: Its name in the header; or its position, as digits, in a
                table without a header.
            table: Path of the table, for errors.
            lines: As `find` takes them.

        Raises:
            ValueError: If there is no such column.
        """
        first = [cell.strip() for cell in lines[0][1]]
        if not self.header_lines and name.isdecimal():
            if int(name) < len(first):
                return int(name)
        elif self.header_lines and first.count(name) == 1:
            return first.index(name)
        known = first if self.header_lines else [*map(str, range(len(first)))]
        raise ValueError(
            f"{table} has no column {name!r} of its own. Got the columns: "
            f"{known}." + checks.did_you_mean(name, known)
        )

    def _by_position(self, table, lines, width):
        for argument, position in (
            ("text_column", self.text),
            ("label_column", self.label),
        ):
            if position >= width:
                raise ValueError(
                    f"`{argument}` is beyond the last column of {table}. Got: "
                    f"{position}. Expected a position from 0 to {width - 1}."
                )
        _refuse_header(table, [cells[self.label].strip() for _, cells in lines])
        return {"text": self.text, "label": self.label}


def check(text_column, label_column) -> Columns:
    """The columns that the user names, as `load` takes them.

    Raises:
        TypeError: If one is no string and no whole number.
        ValueError: If one is a name and the other a position, or both are the
            same, or a position is below 0.

    Example:
        >>> from tl_keras.data import table_columns
        >>> table_columns.check("0", 1)
        Columns(text=0, label=1)
    """
    text = _column(text_column, "text_column")
    label = _column(label_column, "label_column")
    if isinstance(text, int) != isinstance(label, int):
        raise ValueError(
            "`text_column` and `label_column` must be two names, or, for a "
            f"table without a header, two positions. Got: {text_column!r} and "
            f"{label_column!r}."
        )
    if text == label:
        raise ValueError(
            "`text_column` and `label_column` are the same. Got twice: "
            f"{text_column!r}."
        )
    return Columns(text, label)


def _column(value, name):
    if isinstance(value, str):
        return int(value) if value.isdecimal() else value
    hint = "Give the column's name, or its position, from 0."
    checks.instance(value, (str, int), name=name, hint=hint)
    return checks.integer(value, name=name)


def _check_name(table, name, names):
    if names.count(name) == 1:
        return
    if name in names:
        raise ValueError(f"{table} has several columns `{name}`. Expected one.")
    shown = [cell[:_SHOWN_CHARACTERS] for cell in names]
    raise ValueError(
        f"{table} has no column `{name}`. Got the columns: {shown}. Expected a "
        "header with `text` and `label`, or `path` and `label`, and optionally "
        "`split`. Pass the names of others as `text_column` and "
        "`label_column`; without a header pass positions, e.g. "
        "`text_column=0, label_column=1`." + checks.did_you_mean(name, names)
    )


def _refuse_header(table, labels):
    """A name of a column would be taken for a class with one example."""
    times = collections.Counter(labels)
    if times[labels[0]] == 1 and max(times.values()) > 1:
        raise ValueError(
            f"The first line of {table} looks like a header: its label, "
            f"{labels[0]!r}, is that of no other line. Pass names as "
            "`text_column` and `label_column`, not positions, if it is one; "
            "else write a header."
        )
