"""The cells of a table in a file, line by line."""

import csv
import io

from tl_keras.data import texts

_DIALECTS = {
    # Strict: a quote that is never closed swallows no lines in silence.
    "csv": {"delimiter": ",", "strict": True},
    "tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE},
}


def read(table, form: str) -> list[tuple[int, list[str]]]:
    """The rows of a table in UTF-8, the first one too; no blank lines.

    Args:
        table: A `pathlib.Path`.
        form: `"csv"`, separated by commas, texts in double quotes where they
            hold commas, line breaks or quotes (which are doubled); or
            `"tsv"`, separated by tabs, where quotes are ordinary characters.

    Returns:
        `(line, cells)` of each row: the number of its first line, from 1, and
        as many cells as the first row has.

    Raises:
        ValueError: If a line is not in UTF-8, cannot be divided into cells,
            or has more of them than the first row. The message names it.
    """
    file = io.StringIO(texts.decode(table.read_bytes(), table), newline="")
    reader = csv.reader(file, **_DIALECTS[form])
    rows = []
    width = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ValueError(
                f"{table}, line {line} cannot be read: {error}. Check the "
                "quotes, which come in pairs. (A cell has at most as many "
                "characters as `csv.field_size_limit` allows.)"
            ) from error
        if cells is None:
            return rows
        if not cells:
            continue
        width = width or len(cells)
        if len(cells) > width:
            raise ValueError(
                f"{table}, line {line}: {len(cells)} cells. Expected {width}, "
                f"as in the first line. {_ADVICE[form]}"
            )
        rows.append((line, cells + [""] * (width - len(cells))))


_ADVICE = {
    "csv": "Put texts that hold commas into double quotes.",
    "tsv": "Replace the tabs within texts.",
}
