"""Downloads of TensorFlow Datasets that fail fast where there is no network."""

import importlib.util
import pathlib
import urllib.parse

from tl_keras import network
from tl_keras.data import errors


def prepare(builder, name: str, where) -> None:
    """Downloads and prepares a data set.

    Args:
        builder: Its `tfds.core.DatasetBuilder`.
        name: What the user called it.
        where: The folder in which it is prepared.

    Raises:
        DownloadError: If it has to be downloaded by hand, its host cannot be
            reached, or the download fails.
        ImportError: If a package is missing.
    """
    advice = (
        f"Prepare {name!r} where there is a network (`tfds build "
        f"{builder.name}`) and pass its folder as `data_dir`."
    )
    by_hand = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    manual_dir = pathlib.Path(where).expanduser() / "downloads" / "manual"
    if by_hand and not manual_dir.is_dir():
        raise errors.DownloadError(
            f"{name!r} is not prepared in {where}, and has to be downloaded by "
            f"hand into {manual_dir}: {by_hand.strip()}"
        )
    for host in sorted({_host(url) for url in builder.url_infos}):
        problem = network.problem_with(host, any_answer=True)
        if problem:
            raise errors.DownloadError(
                f"{name!r} is not prepared in {where}, and {host} cannot be "
                f"reached ({problem}). {advice}"
            )
    if importlib.util.find_spec("importlib_resources") is None:
        raise ImportError(
            "To prepare data, TensorFlow Datasets needs a package that it "
            "does not install. Run `pip install importlib_resources`."
        )
    try:
        builder.download_and_prepare()
    except Exception as error:
        raise errors.DownloadError(
            f"{name!r} could not be prepared in {where}: {error}. {advice}"
        ) from error


def _host(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
