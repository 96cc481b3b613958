"""BERT's architecture in stock Keras layers, from strings to one vector."""

import dataclasses

import keras

from tl_keras.encoders import text_encoders


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """How large a BERT is.

    Attributes:
        width: Features of each token.
        num_blocks: Transformer blocks.
        num_heads: Attention heads, a divisor of `width`.
        hidden_width: Units between the two Dense layers of a block.
        max_tokens: Positions that have an embedding.
    """

    width: int
    num_blocks: int
    num_heads: int
    hidden_width: int
    max_tokens: int = 512


def network(tokenizer, sizes: Sizes, *, dropout: float, name: str):
    """A BERT with new weights: a string in, the mean of its tokens out.

    Padding is left out of attention and of the mean. The embedding that tells
    a first sentence from a second one is the same for all tokens of a single
    text: here it is part of the embedding of the position.

    Args:
        tokenizer: A `WordPieceTokenizer` for at most `sizes.max_tokens`.
        sizes: The `Sizes`.
        dropout: Share dropped in training, of the embeddings, the attention
            and each block's two results; in [0, 1).
        name: The model's name.

    Returns:
        A Functional `keras.Model` from strings `[batch]` to float32 `[batch,
        sizes.width]`, whatever the dtype policy of its layers. Layers are
        named `embeddings_...` and `block_N_...`.

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
        for Language Understanding", 2018, https://arxiv.org/abs/1810.04805
    """
    texts = keras.Input((), dtype="string", name="texts")
    tokens = tokenizer(texts)
    present = keras.ops.not_equal(tokens, tokenizer.pad_id)
    features = _embeddings(tokens, len(tokenizer.vocabulary), sizes, dropout)
    # The same for every token that asks, and for every head.
    mask = keras.ops.expand_dims(present, 1)
    for index in range(sizes.num_blocks):
        features = _block(features, mask, sizes, dropout, f"block_{index}")
    mean = text_encoders.mean_of_tokens(features, present)
    return keras.Model(texts, mean, name=name)


def groups(model) -> dict[str, tuple[str, ...]]:
    """The layer groups of a `network`: `embeddings`, `block_0`, ..."""
    found = {}
    for layer in model.layers:
        if layer.weights:
            parts = layer.name.split("_")
            group = "_".join(parts[: 2 if parts[0] == "block" else 1])
            found.setdefault(group, []).append(layer.name)
    return {group: tuple(layers) for group, layers in found.items()}


def set_weights(model, tensors: dict):
    """Gives a `network` the weights of a checkpoint of Hugging Face, in place.

    Args:
        model: A `network`.
        tensors: Name to NumPy array, as in `model.safetensors` of a
            `BertModel`. What the network does not have is left out.

    Raises:
        KeyError: If a tensor is missing.
        ValueError: If one has another shape.
    """

    def dense(name):
        # PyTorch keeps a kernel as [outputs, inputs].
        return [tensors[f"{name}.weight"].T, tensors[f"{name}.bias"]]

    def norm(name):
        return [tensors[f"{name}.weight"], tensors[f"{name}.bias"]]

    def put(layer, values):
        weights = model.get_layer(layer).weights
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value.reshape(weight.shape))

    first_sentence = tensors["embeddings.token_type_embeddings.weight"][0]
    positions = tensors["embeddings.position_embeddings.weight"]
    put("embeddings_words", [tensors["embeddings.word_embeddings.weight"]])
    put("embeddings_positions", [positions + first_sentence])
    put("embeddings_norm", norm("embeddings.LayerNorm"))
    for group in groups(model):
        if group == "embeddings":
            continue
        theirs = f"encoder.layer.{group.removeprefix('block_')}"
        attention = f"{theirs}.attention"
        put(
            f"{group}_attention",
            [
                *dense(f"{attention}.self.query"),
                *dense(f"{attention}.self.key"),
                *dense(f"{attention}.self.value"),
                *dense(f"{attention}.output.dense"),
            ],
        )
        put(f"{group}_attention_norm", norm(f"{attention}.output.LayerNorm"))
        put(f"{group}_hidden", dense(f"{theirs}.intermediate.dense"))
        put(f"{group}_output", dense(f"{theirs}.output.dense"))
        put(f"{group}_output_norm", norm(f"{theirs}.output.LayerNorm"))


def _embeddings(tokens, vocabulary_size, sizes, dropout):
    positions = keras.ops.cumsum(keras.ops.ones_like(tokens), axis=1) - 1
    words = _embedding(vocabulary_size, sizes, "words")(tokens)
    places = _embedding(sizes.max_tokens, sizes, "positions")(positions)
    features = keras.layers.Add(name="embeddings_add")([words, places])
    features = _norm("embeddings_norm")(features)
    return keras.layers.Dropout(dropout, name="embeddings_dropout")(features)


def _block(features, mask, sizes, dropout, name):
    """Attention among the tokens, then two Dense layers for each of them."""
    attention = keras.layers.MultiHeadAttention(
        num_heads=sizes.num_heads,
        key_dim=sizes.width // sizes.num_heads,
        dropout=dropout,
        kernel_initializer=_initializer(),
        name=f"{name}_attention",
    )
    attended = attention(features, features, attention_mask=mask)
    features = _join(features, attended, dropout, f"{name}_attention")
    hidden = _dense(sizes.hidden_width, f"{name}_hidden", "gelu")(features)
    result = _dense(sizes.width, f"{name}_output")(hidden)
    return _join(features, result, dropout, f"{name}_output")


def _join(features, update, dropout, name):
    update = keras.layers.Dropout(dropout, name=f"{name}_dropout")(update)
    features = keras.layers.Add(name=f"{name}_add")([features, update])
    return _norm(f"{name}_norm")(features)


def _embedding(count, sizes, name):
    return keras.layers.Embedding(
        count,
        sizes.width,
        embeddings_initializer=_initializer(),
        name=f"embeddings_{name}",
    )


def _dense(units, name, activation=None):
    return keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=_initializer(),
        name=name,
    )


def _norm(name):
    return keras.layers.LayerNormalization(epsilon=1e-12, name=name)


def _initializer():
    return keras.initializers.TruncatedNormal(stddev=0.02)
