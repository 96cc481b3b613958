"""What a section of the report is made of, as values."""

import dataclasses
import math
import re


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a table, or one figure beside its name.

    Attributes:
        text: What is shown.
        value: The number that `text` rounds, by which a column is sorted;
            None for what is no number.
        share: Length of a bar beside it, in [0, 1], or None for none.
        level: Strength of its background, 0 to 10, or None for none.
    """

    text: str
    value: float | None = None
    share: float | None = None
    level: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a caption.

    Attributes:
        caption: What it shows, in a sentence.
        columns: Headers. The first column names the rows.
        rows: Cells, one for each column.
        note: A sentence below it, or "".
        folded: Whether it is shown only when asked for.
        sortable: Whether a click on a header sorts it.
        compact: Whether its cells have little space, as of a matrix.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False
    sortable: bool = True
    compact: bool = False
    kind = "table"

    def is_numeric(self, column: int) -> bool:
        """Whether a column holds numbers, and is set flush right."""
        cells = [row[column] for row in self.rows]
        return any(cell.value is not None for cell in cells)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """Names, and what is to be said of each.

    Attributes:
        rows: Pairs of a name and a `Cell`.
    """

    rows: tuple[tuple[str, Cell], ...]
    kind = "facts"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tiles:
    """The few figures that matter most, in large type.

    Attributes:
        rows: Triples of a name, a `Cell` and a remark, which may be "".
    """

    rows: tuple[tuple[str, Cell, str], ...]
    kind = "tiles"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing, for light and for dark pages.

    Attributes:
        caption: What it shows, in a sentence.
        alt: The same for somebody who cannot see it, with what stands out.
        light: Its address as a `data:` URI.
        dark: That of the same on a dark page; None: `light` serves there too.
        width: In CSS pixels.
        height: In CSS pixels.
        narrow: Whether it leaves room for another one beside it.
    """

    caption: str
    alt: str
    light: str
    dark: str | None
    width: int
    height: int
    narrow: bool = False
    kind = "figure"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """An example that is shown.

    Attributes:
        address: Of its picture, a `data:` URI; None for a text.
        alt: What it shows, in words.
        text: The example itself where it is a text, else "".
        lines: What is said below it; pairs of a name and a `Cell`.
        overlay: Address of the same picture with what mattered laid over
            it, or None.
    """

    address: str | None
    alt: str
    text: str = ""
    lines: tuple[tuple[str, Cell], ...] = ()
    overlay: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gallery:
    """Examples side by side.

    Attributes:
        caption: What they have in common, in a sentence.
        pictures: `Picture`s.
    """

    caption: str
    pictures: tuple[Picture, ...]
    kind = "gallery"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prose:
    """Paragraphs, headings and lists.

    Attributes:
        parts: Pairs of `"heading"`, `"paragraph"` or `"item"` and its text.
    """

    parts: tuple[tuple[str, str], ...]
    kind = "prose"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the report with a heading of its own.

    Attributes:
        name: Its anchor in the page, one word.
        title: Its heading.
        blocks: What it holds, from top to bottom.
        intro: A sentence or two at its head, or "".
    """

    name: str
    title: str
    blocks: tuple
    intro: str = ""


def text(value) -> Cell:
    """A cell of words."""
    return Cell(str(value))


def words(name: str) -> str:
    """The name of a score or field as a header.

    Example:
        >>> words("num_examples"), words("macro_f1"), words("val_loss")
        ('Examples', 'Macro F1', 'Validation loss')
    """
    spoken = re.sub("^val_", "validation_", name.removeprefix("num_"))
    spoken = spoken.replace("_", " ").replace("f1", "F1")
    return spoken[0].upper() + spoken[1:]


def count(value, **options) -> Cell:
    """A cell with a whole number.

    Example:
        >>> count(12345).text
        '12,345'
    """
    return _number(value, ",.0f", **options)


def score(value, **options) -> Cell:
    """A cell with a number of which four places are shown.

    Example:
        >>> score(0.91237).text, score(None).text
        ('0.9124', 'none')
    """
    return _number(value, ".4f", **options)


def decimal(value, places: int = 1, **options) -> Cell:
    """A cell with a number of which a few places are shown.

    Example:
        >>> decimal(12.345).text
        '12.3'
    """
    return _number(value, f",.{places}f", **options)


def small(value, **options) -> Cell:
    """A cell with a number of any size, three digits of it.

    Example:
        >>> small(0.0012345).text, small(12.0).text
        ('0.00123', '12')
    """
    return _number(value, ".3g", **options)


def percent(value, **options) -> Cell:
    """A cell with a share as percentage.

    Example:
        >>> percent(0.0512).text
        '5.1%'
    """
    return _number(value, ".1%", **options)


def interval(bounds, form: str = ".4f") -> str:
    """Two bounds as text; "" without any.

    Example:
        >>> interval([0.85, 0.91])
        '0.8500 to 0.9100'
    """
    if not bounds or None in bounds:
        return ""
    low, high = bounds
    return f"{low:{form}} to {high:{form}}"


def seconds(value, **options) -> Cell:
    """A cell with a time, in the unit that suits it.

    Example:
        >>> seconds(5.25).text, seconds(75).text, seconds(7260).text
        ('5.2 s', '1 min 15 s', '2 h 1 min')
    """
    if value is None:
        return Cell("none")
    return Cell(_time(value), float(value), **options)


def memory(value, **options) -> Cell:
    """A cell with an amount of memory, given in bytes.

    Example:
        >>> memory(3 * 2**20).text
        '3.0 MiB'
    """
    if value is None:
        return Cell("none")
    size, unit = float(value), "bytes"
    for larger in ("KiB", "MiB", "GiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    shown = f"{size:.0f}" if unit == "bytes" else f"{size:.1f}"
    return Cell(f"{shown} {unit}", float(value), **options)


def any_value(value) -> Cell:
    """A cell with whatever a setting may be."""
    if value is None:
        return Cell("none")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, (int, float)):
        return Cell(
            f"{value:g}" if isinstance(value, float) else str(value),
            float(value),
        )
    if isinstance(value, (list, tuple)):
        return Cell(", ".join(map(str, value)) or "none")
    return Cell(str(value))


def _number(value, form: str, **options) -> Cell:
    if value is None or not math.isfinite(value):
        return Cell("none", **options)
    return Cell(f"{value:{form}}", float(value), **options)


def _time(value: float) -> str:
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
