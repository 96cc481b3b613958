"""A preset of KerasHub that takes texts, as an encoder."""

import keras

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.encoders import flattening
from tl_keras.encoders import numbered_groups
from tl_keras.encoders import preset_files
from tl_keras.encoders import rebuilding
from tl_keras.encoders import text_encoders
from tl_keras.encoders import weights_files
from tl_keras.encoders import wordpiece
from tl_keras.encoders.encoder import Encoder

_FEATURES = ("cls", "mean", "sequence", "pooled")
_INPUTS = {"token_ids", "segment_ids", "padding_mask"}


def load(
    name: str,
    preset: str,
    tokenizer,
    weights,
    *,
    features: str | None = None,
    sequence_length: int = 128,
) -> Encoder:
    """See `tl_keras.encoders.presets.load`.

    Args:
        name: As the user gave it.
        preset: As KerasHub takes it.
        tokenizer: The preset's tokenizer.
        weights: As the user gave it.
        features: "cls" (or None), "mean", "sequence" or "pooled".
        sequence_length: Number of tokens of a text.
    """
    features = checks.one_of(features or "cls", _FEATURES, name="features")
    tokens_layer = _tokenizer(name, tokenizer, sequence_length)
    backbone = preset_files.backbone(preset, weights == "imagenet")
    _check_takes_tokens(name, backbone, sequence_length)

    texts = keras.Input((), dtype="string", name="texts")
    tokens = tokens_layer(texts)
    present = keras.ops.not_equal(tokens, tokens_layer.pad_id)
    flat = _flat(backbone, sequence_length)
    inputs = {
        "token_ids": tokens,
        "padding_mask": keras.ops.cast(present, "int32"),
        # A single text is the first of a pair.
        "segment_ids": keras.ops.zeros_like(tokens),
    }
    outputs = flattening.replay(flat, {key: inputs[key] for key in flat.input})
    outputs = _chosen(name, outputs, features, present)
    model = keras.Model(texts, outputs, name=backbone.name)
    if weights not in (None, "imagenet"):
        weights_files.read(model, weights, name=name)
    some = keras.ops.convert_to_tensor(
        ["", " ".join(tokenizer.vocabulary[-9:])]
    )
    rebuilding.check_copies(model, some)
    return Encoder(
        name=name,
        model=model,
        groups=numbered_groups.groups_of(model, "embeddings"),
        input_spec=input_specs.TextSpec(),
        preprocessing="custom",
        preprocessing_output=tokens_layer.name,
    )


def _tokenizer(name, tokenizer, sequence_length):
    if not preset_files.is_word_piece(tokenizer):
        raise ValueError(
            f"The texts of {name} are tokenized by a "
            f"{type(tokenizer).__name__}, with operations that TensorFlow "
            "alone does not have, so that the model could not be served. "
            "Expected a WordPiece tokenizer, as of BERT, DistilBERT and "
            "ELECTRA."
        )
    return wordpiece.WordPieceTokenizer(
        list(tokenizer.vocabulary),
        sequence_length,
        lowercase=tokenizer.lowercase,
        strip_accents=tokenizer.strip_accents,
        split_ideographs=tokenizer.split_on_cjk,
        special_tokens=(
            tokenizer.pad_token,
            tokenizer.oov_token,
            tokenizer.cls_token,
            tokenizer.sep_token,
        ),
        name="tokens",
    )


def _check_takes_tokens(name, backbone, sequence_length):
    inputs = backbone.input
    if not isinstance(inputs, dict) or not set(inputs) <= _INPUTS:
        raise ValueError(
            f"The backbone of {name} does not take tokens as BERT does. Got "
            f"inputs: {inputs}. Expected some of: {', '.join(_INPUTS)}."
        )
    longest = getattr(backbone, "max_sequence_length", sequence_length)
    if sequence_length > longest:
        raise ValueError(
            f"`sequence_length` is too large for {name}. Got: "
            f"{sequence_length}. Expected at most {longest}."
        )


def _flat(backbone, sequence_length) -> keras.Model:
    """The backbone's layers as one graph from that many tokens."""
    inputs = {
        key: keras.Input((sequence_length,), dtype="int32", name=key)
        for key in backbone.input
    }
    outputs = flattening.replay(backbone, inputs)
    return flattening.flatten(keras.Model(inputs, outputs, name=backbone.name))


def _chosen(name, outputs, features, present):
    if not isinstance(outputs, dict):
        outputs = {"sequence_output": outputs}
    if features == "pooled":
        if "pooled_output" not in outputs:
            raise ValueError(
                f"The backbone of {name} has no pooled output. Expected "
                "`features` to be 'cls', 'mean' or 'sequence'."
            )
        return outputs["pooled_output"]
    sequence = outputs["sequence_output"]
    if features == "cls":
        return sequence[:, 0]
    if features == "mean":
        return text_encoders.mean_of_tokens(sequence, present)
    return sequence
