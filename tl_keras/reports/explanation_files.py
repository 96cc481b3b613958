"""What explanations leave to read: explanations.json, pictures, a table."""

import json
import pathlib
import re

from tl_keras import whole_files

SCHEMA_VERSION = 1
_LONGEST_NAME = 60


def write(found: dict, path) -> pathlib.Path:
    """Writes explanations as JSON; a file of that name is replaced once the
    new one is whole.

    Args:
        found: What `tl_keras.explaining.explain` found.
        path: File name. Missing folders are made.

    Returns:
        The path.
    """
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    with whole_files.replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")
    return pathlib.Path(path)


def table(found: dict) -> str:
    """A line for each explanation, error and neighbour, for a person to read.

    Args:
        found: What `explain` returned.
    """
    lines = []
    for one in found["explanations"]:
        line = (
            f"{shortened(one['input'])}\t{one['class_name']}\t"
            f"{one['probability']:.4f}\t{one['method']}\t{one['picture']}"
        )
        checked = one["checks"]
        if checked is not None:
            line += "\tpasses" if checked["passes"] else "\tfails"
            line += (
                f" (deletion {checked['deletion_area']:.3f}, at random "
                f"{checked['random_deletion_area']:.3f}; insertion "
                f"{checked['insertion_area']:.3f}, at random "
                f"{checked['random_insertion_area']:.3f})"
            )
        lines.append(line)
    for one in found["top_losses"]:
        lines.append(
            f"error: {one['id']}\t{one['label']} taken for "
            f"{one['predicted']}\tloss {one['loss']:.3f}"
        )
    for pair in found["confused_pairs"]:
        lines.append(
            f"confused: {pair['label']} taken for {pair['predicted']}\t"
            f"{pair['count']} times, {pair['share']:.1%} of its examples"
        )
    for row in found["neighbours"]:
        near = ", ".join(
            f"{one['class_name']} {one['id']} ({one['similarity']:.3f})"
            for one in row["neighbours"]
        )
        lines.append(f"near {shortened(row['input'])}: {near}")
    return "\n".join(lines)


class Pictures:
    """Where pictures go, each under a name of its own.

    Args:
        folder: The folder.

    Example:
        >>> pictures = Pictures("out")
        >>> [pictures.path("a/cat.jpg", "shap").name for _ in range(2)]
        ['cat.shap.png', 'cat_2.shap.png']
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._used = set()

    def path(self, name, method) -> pathlib.Path:
        """A path for the picture of an input."""
        stem, number = _file_name(name), 1
        path = self.folder / f"{stem}.{method}.png"
        while path in self._used:
            number += 1
            path = self.folder / f"{stem}_{number}.{method}.png"
        self._used.add(path)
        return path


def shortened(name: str) -> str:
    """A name in one line of at most 60 characters.

    Example:
        >>> shortened("a\\nb")
        'a b'
    """
    name = re.sub(r"\s+", " ", name)
    if len(name) <= _LONGEST_NAME:
        return name
    return "..." + name[-(_LONGEST_NAME - 3) :]


def _file_name(name) -> str:
    """What a picture of an input is called."""
    stem = pathlib.PurePath(name).stem if "\n" not in name else name
    return re.sub(r"[^\w.-]+", "_", stem)[:_LONGEST_NAME] or "input"
