"""KerasHub's presets as encoders, with their own preprocessing inside."""

import os

from tl_keras import checks
from tl_keras.encoders import preset_files
from tl_keras.encoders import preset_images
from tl_keras.encoders import preset_texts
from tl_keras.encoders import text_encoders
from tl_keras.encoders.encoder import Encoder


def load(
    name: str,
    image_size: int | None = None,
    weights: str | os.PathLike | None = "imagenet",
    *,
    channels: int = 3,
    **options,
) -> Encoder:
    """A preset of KerasHub as an encoder, for images or for texts.

    Images: the preset's scaling becomes a `Rescaling` layer; its resizing is
    left to the data, which come in one size. Texts: presets with a WordPiece
    tokenizer (BERT, DistilBERT, ELECTRA) are tokenized by a
    `WordPieceTokenizer` and packed as KerasHub packs one sentence. Other
    tokenizers need operations that TensorFlow alone does not have.

    A saved model needs KerasHub where it is loaded; an exported one does not.

    Args:
        name: "preset:" and a name, e.g. "preset:resnet_18_imagenet"; or a
            handle that begins with "kaggle://" or "hf://"; or the path of a
            folder that `save_to_preset` wrote.
        image_size: Height and width of the images, in pixels. None: the size
            that the preset resizes to. None for texts.
        weights: "imagenet", the default of `tl_keras.encoders.load`: the
            preset's. None: random ones. A path: a file that
            `encoder.model.save_weights` wrote for this encoder.
        channels: 3: RGB. 1: grey, which is repeated three times inside. 4:
            RGB and one more, for networks that begin with a convolution; see
            `tl_keras.encoders.load`. 3 for texts.
        **options: `features`: what the encoder gives of a transformer's
            tokens. "sequence", the default for images: all of them. "cls",
            the default for texts: the first one, which stands for the whole;
            BERT, DistilBERT and ELECTRA all have it pretrained. "mean": the
            mean of those that are no padding. "pooled": "cls" behind the
            backbone's own Dense layer, which DistilBERT has not and ELECTRA
            has at random. For texts also `sequence_length`: the number of
            tokens, by default 128, of which start and end take two.

    Returns:
        An `Encoder`. Its groups are the backbone's stages or blocks, with
        "stem" (images) or "embeddings" (texts) in front of them and "top"
        behind; "encoder" alone where no stages can be told from the names.

    Raises:
        ConnectionError: If the preset has to be downloaded and cannot.
        FileNotFoundError: If there is no such folder.
        ImportError: If KerasHub is missing. The message says what to install.
        ValueError: If the preset is unknown or an option does not fit it, if
            it takes something other than images or texts, or if its
            preprocessing or its layers cannot be expressed.
    """
    checks.instance(name, str, name="encoder")
    preset = preset_files.checked(name.removeprefix("preset:"))
    converter, tokenizer = preset_files.preprocessors(preset)
    if tokenizer is None:
        _check_options(name, options, ("features",))
        return preset_images.load(
            name, preset, converter, image_size, weights, channels, **options
        )
    _check_options(name, options, ("features", "sequence_length"))
    text_encoders.check_takes_texts(name, image_size, channels)
    return preset_texts.load(name, preset, tokenizer, weights, **options)


def _check_options(name, options, known):
    for option in options:
        if option not in known:
            raise ValueError(
                f"{name} has no such option. Got: {option!r}. Expected one "
                f"of: {', '.join(map(repr, known))}."
                f"{checks.did_you_mean(option, known)}"
            )
