"""BERT in NumPy, as a reference, and random weights for it."""

import numpy as np
from scipy import special


def random_tensors(sizes, vocabulary_size, seed=0):
    """Random weights under the names of a checkpoint of Hugging Face."""
    rng = np.random.default_rng(seed)
    width, hidden = sizes.width, sizes.hidden_width
    shapes = {
        "embeddings.word_embeddings.weight": (vocabulary_size, width),
        "embeddings.position_embeddings.weight": (sizes.max_tokens, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
        "pooler.dense.weight": (width, width),
    }
    for index in range(sizes.num_blocks):
        block = f"encoder.layer.{index}"
        for name, outputs, inputs in (
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", hidden, width),
            ("output.dense", width, hidden),
        ):
            shapes[f"{block}.{name}.weight"] = (outputs, inputs)
            shapes[f"{block}.{name}.bias"] = (outputs,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{block}.{name}.weight"] = (width,)
            shapes[f"{block}.{name}.bias"] = (width,)
    return {
        name: rng.normal(size=shape).astype("float32")
        for name, shape in shapes.items()
    }


def forward(tensors, sizes, ids):
    """What a BERT makes of the ids of one text, without padding: its mean."""

    def dense(name, values):
        return values @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(name, values):
        centred = values - values.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(values.var(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def heads(values):
        return values.reshape(len(ids), sizes.num_heads, -1).swapaxes(0, 1)

    values = (
        tensors["embeddings.word_embeddings.weight"][ids]
        + tensors["embeddings.position_embeddings.weight"][: len(ids)]
        + tensors["embeddings.token_type_embeddings.weight"][0]
    )
    values = norm("embeddings.LayerNorm", values)
    for index in range(sizes.num_blocks):
        block = f"encoder.layer.{index}"
        query, key, value = (
            heads(dense(f"{block}.attention.self.{part}", values))
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        mixed = special.softmax(scores, axis=-1) @ value
        mixed = mixed.swapaxes(0, 1).reshape(len(ids), -1)
        mixed = dense(f"{block}.attention.output.dense", mixed)
        values = norm(f"{block}.attention.output.LayerNorm", values + mixed)
        hidden = dense(f"{block}.intermediate.dense", values)
        # Not the approximation by tanh.
        hidden = hidden * (1 + special.erf(hidden / np.sqrt(2))) / 2
        hidden = dense(f"{block}.output.dense", hidden)
        values = norm(f"{block}.output.LayerNorm", values + hidden)
    return values.mean(axis=0)
