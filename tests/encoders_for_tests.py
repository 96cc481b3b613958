"""Small encoders of every kind beside the Applications, and data for them."""

import importlib.util

import modules_for_tests
import numpy as np
import tensorflow as tf

import tl_keras
from tl_keras import cards
from tl_keras import input_specs
from tl_keras.encoders import bert
from tl_keras.encoders import wordpiece

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS += ["a", "the", "good", "bad", "film", "very", "##s"]
TEXTS = ("a good film", "the very bad film", "good good", "bad film")


def hub_images(folder):
    module = modules_for_tests.image_module(f"{folder}/images")
    return tl_keras.encoders.load(f"hub:{module}")


def hub_texts(folder):
    module = modules_for_tests.text_module(f"{folder}/texts")
    return tl_keras.encoders.load(f"hub:{module}")


def hub_pair(folder):
    module = modules_for_tests.token_module(f"{folder}/tokens")
    words = modules_for_tests.preprocessor_module(f"{folder}/words")
    return tl_keras.encoders.load(f"hub:{module}", preprocessor=words)


def hub_clips(folder):
    module = modules_for_tests.clip_module(f"{folder}/clips")
    spec = input_specs.AudioSpec(sample_rate=8000, num_samples=240)
    return tl_keras.encoders.load(f"hub:{module}", input_spec=spec)


def hub_waveforms(folder):
    module = modules_for_tests.waveform_module(f"{folder}/waveforms")
    spec = input_specs.AudioSpec(sample_rate=8000, num_samples=240, channels=2)
    return tl_keras.encoders.load(
        f"hub:{module}", input_spec=spec, sample_rate=8000
    )


def file_with_card(folder):
    model = tl_keras.build(
        tl_keras.encoders.load("tiny", 16),
        tl_keras.heads.Classifier(num_classes=3),
    )
    path = tl_keras.save(model, f"{folder}/saved.keras")
    return tl_keras.encoders.load(f"file:{path}")


def small_bert(folder):
    """What `minilm` is made of, with fewer and narrower blocks."""
    tokenizer = wordpiece.WordPieceTokenizer(
        TOKENS, sequence_length=8, name="tokens"
    )
    sizes = bert.Sizes(width=8, num_blocks=2, num_heads=2, hidden_width=16)
    model = bert.network(tokenizer, sizes, dropout=0.0, name="small_bert")
    return tl_keras.encoders.Encoder(
        name="small_bert",
        model=model,
        groups=bert.groups(model),
        input_spec=input_specs.TextSpec(),
        preprocessing="custom",
        preprocessing_output="tokens",
    )


def preset_images(folder):
    import keras_hub

    backbone = keras_hub.models.ViTBackbone(
        image_shape=(16, 16, 3),
        patch_size=8,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=16,
        dropout_rate=0.0,
    )
    backbone.save_to_preset(f"{folder}/vit")
    converter = keras_hub.layers.ViTImageConverter(scale=1 / 255)
    converter.save_to_preset(f"{folder}/vit")
    return tl_keras.encoders.load(f"preset:{folder}/vit")


def preset_texts(folder):
    import keras_hub

    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(TOKENS),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=12,
        dropout=0.0,
    )
    backbone.save_to_preset(f"{folder}/bert")
    tokenizer = keras_hub.tokenizers.BertTokenizer(TOKENS, lowercase=True)
    tokenizer.save_to_preset(f"{folder}/bert")
    return tl_keras.encoders.load(f"preset:{folder}/bert", sequence_length=8)


_EVERYWHERE = (
    hub_images,
    hub_texts,
    hub_pair,
    hub_clips,
    hub_waveforms,
    file_with_card,
    small_bert,
)
_WITH_KERAS_HUB = (preset_images, preset_texts)
_HAS_KERAS_HUB = importlib.util.find_spec("keras_hub") is not None

# Name to a function from a folder to an encoder that can train.
MAKERS = {
    maker.__name__: maker
    for maker in _EVERYWHERE + (_WITH_KERAS_HUB if _HAS_KERAS_HUB else ())
}


def input_spec_of(model):
    """What a model from `tl_keras.build` takes."""
    return cards.of(model).input_spec


def inputs(spec, count: int = 8, seed: int = 0):
    """Inputs of the form that a spec says, as a tensor, no two rows alike."""
    rng = np.random.default_rng(seed)
    if spec.kind == "image":
        pixels = rng.integers(0, 256, (count, *spec.shape))
        return tf.constant(pixels, tf.float32)
    if spec.kind == "text":
        return tf.constant([f"{TEXTS[i % 4]} {i}" for i in range(count)])
    return tf.constant(
        rng.normal(size=(count, *spec.shape), scale=0.1), "float32"
    )


def data(spec, count: int = 8, *, batch_size: int = 4, seed: int = 0):
    """The same inputs with two classes in turn, as a `Data` value."""
    values = inputs(spec, count, seed).numpy()
    rate = None
    if spec.kind == "text":
        values = [text.decode() for text in values]
    elif spec.kind == "audio":
        rate = spec.sample_rate
    return tl_keras.data.from_arrays(
        (values, np.arange(count) % 2),
        validation=False,
        batch_size=batch_size,
        seed=seed,
        sample_rate=rate,
    )
