"""Images, sound files or texts in class folders."""

import collections
import dataclasses
import os
import pathlib

import numpy as np

from tl_keras import checks
from tl_keras.data import examples
from tl_keras.data import files
from tl_keras.data import labels as labels_


def read(path: str, refused: dict | None = None) -> examples.Source:
    """Lists the files in `PATH/CLASS/` or `PATH/SPLIT/CLASS/`.

    If there is a folder `train`, the others are `validation` (or `val`,
    `valid`, `dev`) and `test`; otherwise every folder is a class. Classes are
    the training part's folders, sorted by name. Files may lie in folders
    within a class folder, which the column `folder` names. All are images, or
    sound files, or texts (`.txt`, in UTF-8).

    Hidden files (names that begin with a dot, `Thumbs.db`, `desktop.ini`,
    `__MACOSX`) are not read. Beside class folders, texts and files of other
    kinds (a licence, a table) are not read either; within a class folder
    everything must be an example.

    Args:
        path: Path of the folder.
        refused: Where what is no example is noted, path to reason: files in
            class folders that are of another kind than most, and texts that
            cannot be read. None makes an error of the first one.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If a file is of no such kind, or of another kind than the
            others, or belongs to no class, or a text is empty or not in
            UTF-8; if a class is empty or not in the training part, or there
            are fewer than two. The message names the file or the folder.
    """
    root = pathlib.Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(
            f"No such folder: {str(root)!r}. Expected `folder:PATH`, a folder "
            "that holds a folder of files for each class."
        )
    parts = _parts(root)
    class_names = tuple(child.name for child in _folders(parts["train"]))
    if not class_names:
        raise ValueError(
            f"{parts['train']} has no class folders. Expected a folder of "
            "images, sound files or texts for each class."
        )
    found = {
        split: _labelled_files(folder, split, class_names)
        for split, folder in parts.items()
    }
    if refused is not None:
        found = _accepted(found, refused)
    kind = files.common_kind(
        ((path, _kind(path)) for pairs in found.values() for path, _ in pairs),
        root,
    )
    splits = {
        split: _to_examples(pairs, parts[split], kind)
        for split, pairs in found.items()
        if pairs
    }
    return examples.Source(f"folder:{path}", class_names, **splits)


def _to_examples(pairs, part, kind):
    """Files as examples; a column says in which folder of a class each is."""
    found = files.to_examples(*zip(*pairs, strict=True), kind)
    start = len(os.path.join(part, ""))
    # Of part/class/folder/name.
    names = ["/".join(path[start:].split(os.sep)[1:-1]) for path, _ in pairs]
    if not any(names):
        return found
    column = np.array(names, object)
    return dataclasses.replace(found, columns={"folder": column})


def _parts(root):
    """Split name to its folder."""
    children = {child.name: child for child in _folders(root)}
    if "train" not in children:
        if children and children.keys() <= files.SPLIT_NAMES.keys():
            raise ValueError(
                f"{root} has no training part. Got the folders: "
                f"{list(children)}. Expected a folder `train` among them."
            )
        return {"train": root}
    _refuse_files_beside(root)
    parts = {}
    for name, child in children.items():
        split = files.SPLIT_NAMES.get(name)
        if split is None or split in parts:
            raise ValueError(
                f"{child} is not expected beside {children['train']}. Expected "
                "`train`, `test`, and one of `validation`, `val`, `valid`, "
                "`dev`."
            )
        parts[split] = child
    return parts


def _labelled_files(folder, split, class_names):
    """`(path, label)` of each file of a part; none if it has no labels."""
    folders = _folders(folder)
    if split == "test" and not folders:
        if any(map(files.kind_by_name, _files(folder))):
            labels_.are_missing(None, where=str(folder))
        return []
    _refuse_files_beside(folder)
    found = []
    for child in folders:
        if child.name not in class_names:
            raise ValueError(
                f"{child} is no class of the training part. Expected one of: "
                f"{', '.join(map(repr, class_names[:20]))}."
                + checks.did_you_mean(child.name, class_names)
            )
        label = class_names.index(child.name)
        found.extend((path, label) for path in _files_within(child))
    return found


def _accepted(found, refused):
    """Files of the kind that most are of; the others are noted."""
    kinds = {}
    for path, _ in (pair for pairs in found.values() for pair in pairs):
        try:
            kinds[path] = files.kind_of(path)
        except OSError as error:
            kinds[path] = None
            refused[str(path)] = str(error)
    counts = collections.Counter(kind for kind in kinds.values() if kind)
    if not counts:
        return found  # The caller says what is amiss with the first one.
    [(kind, _)] = counts.most_common(1)
    accepted = {split: [] for split in found}
    for split, pairs in found.items():
        for path, label in pairs:
            reason = _reason_against(path, kinds[path], kind)
            if reason is None:
                accepted[split].append((path, label))
            else:
                refused.setdefault(str(path), reason)
    return accepted


def _reason_against(path, kind, expected) -> str | None:
    """Why a file is no example, or None."""
    if kind != expected:
        return f"is of kind {kind or 'unknown'}, and most are of {expected}"
    if kind == "text":
        try:
            files.to_inputs([path], kind)
        except ValueError as error:
            return str(error)
    return None


def _kind(path):
    kind = files.kind_of(path)
    if kind is None:
        raise ValueError(
            f"{path} is no image (JPEG, PNG, GIF, BMP, WebP), no sound file "
            "(WAV, FLAC, OGG, MP3) and no text (.txt). Remove it."
        )
    return kind


def _folders(folder):
    return sorted(
        child
        for child in folder.iterdir()
        if child.is_dir() and not files.is_hidden(child)
    )


def _files(folder):
    return sorted(
        child
        for child in folder.iterdir()
        if not child.is_dir() and not files.is_hidden(child)
    )


def _refuse_files_beside(folder):
    """Refuses examples beside class folders; a text may be a licence."""
    for file in _files(folder):
        if files.kind_by_name(file) in ("image", "audio"):
            raise ValueError(
                f"{file} belongs to no class. Expected images and sound files "
                "in class folders only; move or remove it."
            )


def _files_within(class_folder):
    """Paths of all files within a class folder, sorted.

    They are strings: a `pathlib.Path` takes five times the memory.
    """
    found = []
    for parent, folders, names in os.walk(class_folder, followlinks=True):
        folders[:] = [name for name in folders if not files.is_hidden(name)]
        found.extend(
            os.path.join(parent, name)
            for name in names
            if not files.is_hidden(name)
        )
    found.sort(key=lambda path: path.split(os.sep))
    if not found:
        raise ValueError(
            f"The class folder {class_folder} is empty. Add files, or remove "
            "the folder."
        )
    return found
