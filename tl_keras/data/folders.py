"""Images in class folders."""

import os
import pathlib

from tl_keras import checks
from tl_keras.data import examples
from tl_keras.data import files
from tl_keras.data import labels as labels_


def read(path: str) -> examples.Source:
    """Lists the images in `PATH/CLASS/` or `PATH/SPLIT/CLASS/`.

    If there is a folder `train`, the others are `validation` (or `val`,
    `valid`) and `test`; otherwise every folder is a class. Classes are the
    training part's folders, sorted by name. Images may lie in folders within
    a class folder.

    Hidden files (names that begin with a dot, `Thumbs.db`, `desktop.ini`,
    `__MACOSX`) are not read. Beside class folders, files whose names do not
    end as an image's (a licence, a table) are not read either; everything
    within a class folder must be an image.

    Args:
        path: Path of the folder.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If a file is no image or belongs to no class, a class is
            empty or not in the training part, or there are fewer than two.
            The message names the file or the folder.
    """
    root = pathlib.Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(
            f"No such folder: {str(root)!r}. Expected `folder:PATH`, a folder "
            "that holds a folder of images for each class."
        )
    parts = _parts(root)
    class_names = tuple(child.name for child in _folders(parts["train"]))
    splits = {
        split: _read_part(folder, split, class_names)
        for split, folder in parts.items()
    }
    if splits["train"] is None:
        raise ValueError(
            f"{parts['train']} has no class folders. Expected a folder of "
            "images for each class."
        )
    return examples.Source(f"folder:{path}", class_names, **splits)


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
    _images_beside(root)
    parts = {}
    for name, child in children.items():
        split = files.SPLIT_NAMES.get(name)
        if split is None or split in parts:
            raise ValueError(
                f"{child} is not expected beside {children['train']}. Expected "
                "`train`, `test`, and one of `validation`, `val`, `valid`."
            )
        parts[split] = child
    return parts


def _read_part(folder, split, class_names):
    folders = _folders(folder)
    if not folders:
        if split == "test" and any(map(files.has_image_name, _files(folder))):
            labels_.are_missing(None, where=str(folder))
        return None
    _images_beside(folder)
    paths, labels = [], []
    for child in folders:
        if child.name not in class_names:
            raise ValueError(
                f"{child} is no class of the training part. Expected one of: "
                f"{', '.join(map(repr, class_names[:20]))}."
                + checks.did_you_mean(child.name, class_names)
            )
        found = _images(child)
        paths.extend(found)
        labels.extend([class_names.index(child.name)] * len(found))
    return files.to_examples(paths, labels)


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


def _images_beside(folder):
    for file in _files(folder):
        if files.has_image_name(file):
            raise ValueError(
                f"{file} is an image that belongs to no class. Expected images "
                "in class folders only; move or remove it."
            )


def _images(class_folder):
    """All files within a class folder, sorted; each must be an image."""
    found = []
    for parent, folders, names in os.walk(class_folder, followlinks=True):
        parent = pathlib.Path(parent)
        folders[:] = sorted(
            name for name in folders if not files.is_hidden(parent / name)
        )
        found.extend(parent / name for name in names)
    found = sorted(file for file in found if not files.is_hidden(file))
    for file in found:
        if not files.has_image_name(file):
            if not files.looks_like_an_image(file):
                raise ValueError(
                    f"{file} is no image. {files.EXPECTED} Remove it."
                )
    if not found:
        raise ValueError(
            f"The class folder {class_folder} is empty. Add images, or remove "
            "the folder."
        )
    return found
