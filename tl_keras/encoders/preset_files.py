"""KerasHub's presets: which there are, and what is in them.

The one file that imports `keras_hub`.
"""

import os

from tl_keras import checks
from tl_keras import network

_KAGGLE = "kaggle://"
_HUGGING_FACE = "hf://"


def checked(preset: str) -> str:
    """The preset as KerasHub takes it, if it can be had.

    Args:
        preset: A name, a handle or the path of a folder.

    Raises:
        ConnectionError: If it has to be downloaded and its host is silent.
        FileNotFoundError: If there is no such folder.
        ImportError: If KerasHub is missing.
        ValueError: If there is no preset of that name.
    """
    known = _keras_hub().models.Backbone.presets
    folder = os.path.expanduser(preset)
    if os.path.isdir(folder):
        return folder
    if preset in known:
        _check_reachable(preset, known[preset]["kaggle_handle"])
    elif preset.startswith((_KAGGLE, _HUGGING_FACE)):
        _check_reachable(preset, preset)
    elif "/" in preset or os.sep in preset:
        raise FileNotFoundError(
            f"There is no folder {folder!r}. Expected one that `save_to_preset`"
            " of a KerasHub backbone wrote, the name of a preset, or a handle "
            f"that begins with {_KAGGLE!r} or {_HUGGING_FACE!r}."
        )
    else:
        raise ValueError(
            f"KerasHub has no preset of that name. Got: {preset!r}. Expected "
            "one of `keras_hub.models.Backbone.presets`, a handle that begins "
            f"with {_KAGGLE!r} or {_HUGGING_FACE!r}, or the path of a folder."
            f"{checks.did_you_mean(preset, known)}"
        )
    return preset


def preprocessors(preset: str):
    """How a preset reads its input.

    Args:
        preset: A preset that is `checked`.

    Returns:
        `(image_converter, None)` or `(None, tokenizer)`, layers of KerasHub.

    Raises:
        ValueError: If the preset has both or neither.
    """
    hub = _keras_hub()
    found, problems = [], []
    for kind in (hub.layers.ImageConverter, hub.tokenizers.Tokenizer):
        try:
            found.append(kind.from_preset(preset))
        except (ValueError, FileNotFoundError) as error:
            found.append(None)
            problems.append(str(error).strip())
        except ImportError as error:
            raise _missing(error) from error
    if not problems:
        raise ValueError(
            f"The preset {preset!r} takes images and texts at once. Expected "
            "one that takes one of the two."
        )
    if len(problems) == 2:
        raise ValueError(
            f"The preset {preset!r} says neither how images are scaled nor how "
            f"texts are tokenized. KerasHub says: {problems[0]} {problems[1]} "
            "Save that along with the backbone: `keras_hub.layers."
            "ImageConverter(scale=1 / 255).save_to_preset(FOLDER)`, or the "
            "tokenizer's `save_to_preset`."
        )
    return tuple(found)


def backbone(preset: str, load_weights: bool, **options):
    """The backbone of a preset.

    Args:
        preset: A preset that is `checked`.
        load_weights: Whether with its weights or with random ones.
        **options: What to change of its config, e.g. `image_shape`.
    """
    return _keras_hub().models.Backbone.from_preset(
        preset, load_weights=load_weights, **options
    )


def is_word_piece(tokenizer) -> bool:
    """Whether a tokenizer cuts words as BERT's does."""
    return (
        isinstance(tokenizer, _keras_hub().tokenizers.WordPieceTokenizer)
        and tokenizer.split
        and tokenizer.suffix_indicator == "##"
        and all(hasattr(tokenizer, one) for one in ("cls_token", "sep_token"))
    )


def _keras_hub():
    try:
        import keras_hub
    except ImportError as error:
        raise _missing(error) from error
    return keras_hub


def _missing(error) -> ImportError:
    return ImportError(
        f"A preset needs KerasHub, and something of it is missing: {error}. "
        'Install it with `pip install "tl_keras[presets]"`.'
    )


def _check_reachable(preset, handle):
    if _is_cached(handle):
        return
    url = "https://www.kaggle.com"
    if handle.startswith(_HUGGING_FACE):
        url = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    problem = network.problem_with(url, any_answer=True)
    if problem:
        raise ConnectionError(
            f"The preset {preset!r} cannot be downloaded. Got: {problem}, for "
            f"{url}. Expected it in the cache ({_cache(handle)}), or a "
            "network. Where there is one, load it and write "
            "`BACKBONE.save_to_preset(FOLDER)` and the same of its image "
            "converter or tokenizer; then name it here by preset:FOLDER."
        )


def _is_cached(handle) -> bool:
    """Whether a preset's config is on this machine."""
    if handle.startswith(_KAGGLE):
        return os.path.isfile(os.path.join(_cache(handle), "config.json"))
    try:
        import huggingface_hub
    except ImportError:
        return False
    repository = handle.removeprefix(_HUGGING_FACE)
    return isinstance(
        huggingface_hub.try_to_load_from_cache(repository, "config.json"), str
    )


def _cache(handle) -> str:
    """Where the files of a handle are kept."""
    if handle.startswith(_KAGGLE):
        home = os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub"
        path = handle.removeprefix(_KAGGLE)
        return os.path.join(os.path.expanduser(home), "models", path)
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    return os.path.join(os.path.expanduser(home), "hub")
