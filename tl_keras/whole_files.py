"""Files that are there whole, or as they were before."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """Writes a file beside another, which it replaces once it is whole.

    Args:
        path: File name. Missing folders are made.

    Yields:
        The `pathlib.Path` to write to. If an error is raised, it is removed,
        and what was at `path` stays.

    Example:
        >>> import tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "made", "notes.txt")
        >>> with replacing(path) as beside:
        ...     size = beside.write_text("whole")
        >>> path.read_text(), [file.name for file in path.parent.iterdir()]
        ('whole', ['notes.txt'])
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
