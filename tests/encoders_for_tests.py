"""Small encoders of every kind beside the Applications, and data for them."""

import modules_for_tests
import numpy as np
import tensorflow as tf

import tl_keras
from tl_keras import cards
from tl_keras import input_specs

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


# Name to a function from a folder to an encoder that can train.
MAKERS = {
    maker.__name__: maker
    for maker in (
        hub_images,
        hub_texts,
        hub_pair,
        hub_clips,
        hub_waveforms,
        file_with_card,
    )
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
