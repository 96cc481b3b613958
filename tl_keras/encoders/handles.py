"""Where a module is: from a handle to the folder of its SavedModel.

The one file that imports `tensorflow_hub`, and only where something has to be
fetched: a folder or an archive on this machine needs none of it.
"""

import gzip
import hashlib
import lzma
import os
import pathlib
import re
import shutil
import tarfile
import tempfile
import zlib

from tl_keras import caches
from tl_keras import network

_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_REMOTE = ("https://", "http://", "gs://")
_KAGGLE = "https://www.kaggle.com/models/"
# OWNER/MODEL/FRAMEWORK/VARIATION, and a version.
_KAGGLE_HANDLE = re.compile(r"[\w.-]+/[\w.-]+/[Tt]ensor[Ff]low2/[\w.-]+(/\d+)?")


def resolve(handle: str) -> pathlib.Path:
    """The folder of a module's SavedModel, fetched or unpacked if need be.

    Args:
        handle: Path of a folder; path of a .tar.gz; an https address of TF
            Hub, Kaggle or of a .tar.gz elsewhere; a gs:// path; or
            "kaggle:OWNER/MODEL/tensorFlow2/VARIATION/VERSION". What is
            fetched goes through tensorflow_hub and is kept in its cache
            (`TFHUB_CACHE_DIR`).

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If the handle is empty, or an archive is damaged or holds
            a path that leads out of it.
        OSError: If an archive has to be unpacked and the cache cannot be
            written.
        ConnectionError: If it has to be fetched and cannot.
        ImportError: If tensorflow_hub is needed and cannot be imported.
    """
    handle = os.fspath(handle)
    if handle.startswith("kaggle:"):
        handle = _KAGGLE + handle.removeprefix("kaggle:").lstrip("/")
    if handle.startswith(_REMOTE):
        return _fetched(handle)
    if not handle:
        raise ValueError(
            "No module is named. Expected 'hub:' and the path of a SavedModel "
            "or an https address."
        )
    path = pathlib.Path(handle).expanduser()
    if path.is_file():
        return _unpacked(path)
    if not path.exists() and _KAGGLE_HANDLE.fullmatch(handle):
        raise FileNotFoundError(
            f"There is no folder {handle!r}. For Kaggle's model of that name, "
            f"write 'hub:kaggle:{handle}'."
        )
    return path


def short_name(handle: str) -> str:
    """What a module is called: the last word of its handle that says much.

    Example:
        >>> short_name("https://tfhub.dev/google/nnlm-en-dim50/2")
        'nnlm-en-dim50'
        >>> short_name("models/yamnet.tar.gz")
        'yamnet'
    """
    words = re.split(r"[/:\\]", os.fspath(handle).rstrip("/").split("?")[0])
    for word in reversed(words):
        for ending in _ARCHIVES:
            word = word.removesuffix(ending)
        if re.search(r"[A-Za-z]{2}", word) and word != "feature_vector":
            return re.sub(r"[^\w.-]", "_", word)
    return "module"


def cache_folder() -> pathlib.Path:
    """Where tensorflow_hub keeps what it has fetched.

    Example:
        >>> cache_folder().name != ""
        True
    """
    chosen = os.environ.get("TFHUB_CACHE_DIR")
    return pathlib.Path(chosen or f"{tempfile.gettempdir()}/tfhub_modules")


def _fetched(handle) -> pathlib.Path:
    hub = _tensorflow_hub()
    if not _is_cached(handle):
        problem = None
        if not handle.startswith("gs://"):
            problem = network.problem_with(handle)
        if problem:
            raise ConnectionError(
                f"The module {handle!r} cannot be fetched. Got: {problem}. "
                "Fetch it where there is a network, and name the folder or "
                "the .tar.gz here (hub:PATH); or point TFHUB_CACHE_DIR to a "
                "cache that holds it."
            )
    try:
        return pathlib.Path(hub.resolve(handle))
    except Exception as error:
        raise ConnectionError(
            f"The module {handle!r} cannot be fetched. Got: "
            f"{type(error).__name__}: {error}. Expected the address of a "
            "SavedModel on TF Hub or Kaggle, or of a .tar.gz of one."
        ) from error


def _tensorflow_hub():
    try:
        import tensorflow_hub
    except ImportError as error:
        advice = 'pip install "tensorflow-hub>=0.16.1" "setuptools<81"'
        raise ImportError(
            "To fetch a module, tensorflow_hub is needed, and it cannot be "
            f"imported: {error}. Run `{advice}` (it imports pkg_resources, "
            "which setuptools 81 dropped, and tf_keras); or fetch the module "
            "elsewhere and name its folder."
        ) from error
    return tensorflow_hub


def _is_cached(handle) -> bool:
    """Whether tensorflow_hub has the module, so that it asks no network."""
    name = hashlib.sha1(handle.encode()).hexdigest()
    return (cache_folder() / name).is_dir()


def _unpacked(archive: pathlib.Path) -> pathlib.Path:
    """A folder with the content of an archive, unpacked once."""
    with archive.open("rb") as file:
        name = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    target = caches.folder("archives") / name
    if target.is_dir():
        return _module_within(target, archive)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = pathlib.Path(tempfile.mkdtemp(dir=target.parent))
    except OSError as error:
        raise type(error)(
            error.errno,
            f"{str(archive)!r} has to be unpacked, and the cache cannot be "
            f"written ({error.strerror}). Point TL_KERAS_CACHE to a folder "
            "that can, or unpack the archive and name its folder. Got",
            str(target.parent),
        ) from error
    try:
        _extract(archive, beside)
        _module_within(beside, archive)
        try:
            beside.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            # Another process was faster.
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return _module_within(target, archive)


def _extract(archive, target):
    try:
        with tarfile.open(archive) as packed:
            for member in packed:
                path = _checked_path(member, target, archive)
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with packed.extractfile(member) as file, path.open("wb") as to:
                    shutil.copyfileobj(file, to)
            # The checksum stands at the end, behind what tar reads.
            while packed.fileobj.read(2**20):
                pass
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        gzip.BadGzipFile,
        lzma.LZMAError,
        IsADirectoryError,
        FileExistsError,
    ) as error:
        raise ValueError(
            f"{str(archive)!r} cannot be unpacked: {error}. Expected a "
            ".tar.gz of a SavedModel; it may be damaged or half downloaded."
        ) from error


def _checked_path(member, target, archive) -> pathlib.Path:
    """Where a member of an archive goes, if it may."""
    path = (target / member.name).resolve()
    stays = path.is_relative_to(target.resolve())
    if stays and (member.isfile() or member.isdir()):
        return path
    kind = "a link or a device" if stays else "a path that leads out of it"
    raise ValueError(
        f"{str(archive)!r} is not unpacked: it holds {kind}, "
        f"{member.name!r}. Expected the plain files and folders of a "
        "SavedModel; do not use this archive."
    )


def _module_within(folder, archive) -> pathlib.Path:
    """The folder itself, or the one folder in it that is a SavedModel."""
    found = [path.parent for path in folder.rglob("saved_model.pb")]
    # An asset of a module may have the name of a graph.
    found = [
        one for one in found if not any(other in one.parents for other in found)
    ]
    if len(found) == 1:
        return found[0]
    raise FileNotFoundError(
        f"{str(archive)!r} holds {len(found)} SavedModels. Expected one: a "
        "saved_model.pb with its variables and assets."
    )
