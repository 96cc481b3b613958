"""Examples that are left out of a source, named by their ids."""

import dataclasses
import pathlib

from tl_keras import checks
from tl_keras.data import texts

# A line of a file that begins so is for people.
COMMENT = "# "
_SHOWN = 5


def read(path) -> tuple[str, ...]:
    """The ids in a file, one a line.

    Blank lines, and lines that begin with a number sign and a space, say
    nothing. `tl-keras audit` writes such a file, `exclude.txt`.

    Args:
        path: A text file in UTF-8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not in UTF-8.

    Example:
        >>> import pathlib
        >>> from tl_keras.data import exclusion
        >>> file = pathlib.Path("exclude.txt")
        >>> _ = file.write_text("# blurred\\ncats/3.jpg\\n")
        >>> exclusion.read(file)
        ('cats/3.jpg',)
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"No such file: {str(path)!r}. Expected the ids of examples that "
            "are left out, one a line, such as the exclude.txt of `tl-keras "
            "audit`."
        )
    lines = texts.decode(path.read_bytes(), path).splitlines()
    return tuple(
        line for line in lines if line.strip() and not line.startswith(COMMENT)
    )


def apply(source, ids):
    """A source without some of its examples.

    Args:
        source: A `Source`.
        ids: Ids of examples, of any part. One that several examples have
            leaves out all of them.

    Returns:
        A `Source`, and how many examples were left out by part, only parts
        that lost some.

    Raises:
        ValueError: If no example has one of the ids (the message names
            them), or a part or a class of the training part would be empty.

    Example:
        >>> from tl_keras.data import exclusion
        >>> from tl_keras.data import sources
        >>> exclusion.apply(sources.read("digits"), ["0", "1"])[1]
        {'train': 2}
    """
    unwanted = set(ids)
    parts = {
        split: getattr(source, split)
        for split in ("train", "validation", "test")
        if getattr(source, split) is not None
    }
    _check_known(source.name, unwanted, parts)
    kept, counts = {}, {}
    for split, part in parts.items():
        indices = [i for i, id_ in enumerate(part.ids) if id_ not in unwanted]
        if not indices:
            raise ValueError(
                f"`exclude` leaves nothing of the {split} part of "
                f"{source.name!r}. Got: all of its {len(part)} ids. Expected "
                "some that stay."
            )
        if len(indices) < len(part):
            kept[split] = part.take(indices)
            counts[split] = len(part) - len(indices)
    return dataclasses.replace(source, **kept), counts


def _check_known(name, unwanted, parts):
    known = {id_ for part in parts.values() for id_ in part.ids}
    unknown = sorted(unwanted - known)
    if not unknown:
        return
    shown = ", ".join(map(repr, unknown[:_SHOWN]))
    more = len(unknown) - _SHOWN
    raise ValueError(
        f"`exclude` names {len(unknown)} ids that {name!r} does not have. "
        f"Got: {shown}{f' and {more} more' if more > 0 else ''}. Expected ids "
        f"as `data.ids(split)` has them, e.g. {next(iter(known))!r}."
        + checks.did_you_mean(unknown[0], known if len(known) < 5000 else ())
    )
