"""Where tl_keras keeps what it may make or fetch again."""

import os
import pathlib


def folder(name: str) -> pathlib.Path:
    """A folder of the cache, which need not exist yet.

    Args:
        name: What is kept there, e.g. `"modules"`.

    Returns:
        A path below the folder that the variable `TL_KERAS_CACHE` names, else
        below `~/.cache/tl_keras`.

    Example:
        >>> folder("modules").name
        'modules'
    """
    home = os.environ.get("TL_KERAS_CACHE") or "~/.cache/tl_keras"
    return pathlib.Path(home).expanduser() / name
