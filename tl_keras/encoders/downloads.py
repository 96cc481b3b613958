"""ImageNet weights: where Keras keeps them; what to do without a network."""

import contextlib
import hashlib
import os
import re

from tl_keras import keras_internals
from tl_keras import network


@contextlib.contextmanager
def fail_fast(image_size: int):
    """While this is open, Keras' downloads of weights fail at once or work.

    Keras itself waits for minutes where a firewall swallows what it sends, and
    then names the URL, but not the place where the file belongs.

    Args:
        image_size: Height and width of the images, for the error message.

    Raises:
        ConnectionError: Out of Keras' call, if it needs a file that is not
            there and whose host does not answer.
    """
    download = keras_internals.get_file()

    def get_file(fname, origin, file_hash=None, **kwargs):
        path = os.path.join(folder(), fname)
        if os.path.exists(path) and (
            file_hash is None or keras_internals.is_whole(path, file_hash)
        ):
            # Keras would ignore a folder that it cannot write to, and look
            # in the temporary folder instead, without a word.
            return path
        problem = network.problem_with(origin)
        if problem:
            raise ConnectionError(_message(fname, origin, problem, image_size))
        return download(fname, origin, file_hash=file_hash, **kwargs)

    with keras_internals.downloading_by(get_file):
        yield


@contextlib.contextmanager
def use_file(path: str):
    """While this is open, Keras takes `path` for what it would download."""
    with keras_internals.downloading_by(lambda *args, **kwargs: path):
        yield


def folder() -> str:
    """Where Keras keeps weights: `KERAS_HOME/models`, or `~/.keras/models`.

    Example:
        >>> import os
        >>> os.path.basename(folder())
        'models'
    """
    home = os.path.expanduser(keras_internals.home())
    return os.path.join(home, "models")


def md5(path: str) -> str:
    """A file's MD5 sum, by which Keras names its weights."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _message(name: str, url: str, problem: str, image_size: int) -> str:
    path = os.path.join(folder(), name)
    found = "is damaged" if os.path.exists(path) else "is missing"
    message = (
        f"The ImageNet weights cannot be downloaded. Got: {problem}, for "
        f"{url}; {path} {found}. Expected that file: put it there, or pass "
        "`weights=PATH` with the path of a copy, or `weights=None` for "
        "random weights."
    )
    for other in _other_sizes(name, image_size):
        message += (
            f" The same weights, made at another image size, are there: pass "
            f"`weights={os.path.join(folder(), other)!r}`."
        )
    return message


def _other_sizes(name: str, image_size: int) -> list[str]:
    """Files in the folder that are called like `name` but for the size."""
    parts = re.split(rf"(?<=_){image_size}(?=[_.])", name)
    if len(parts) == 1 or not os.path.isdir(folder()):
        return []
    pattern = r"\d+".join(re.escape(part) for part in parts)
    return sorted(
        file for file in os.listdir(folder()) if re.fullmatch(pattern, file)
    )
