"""What a served model takes: encoded files, texts, or raw arrays."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tl_keras import cards
from tl_keras import input_specs
from tl_keras import resampling
from tl_keras.data import audio
from tl_keras.data import images as data_images


@dataclasses.dataclass(frozen=True)
class Inputs:
    """How requests become what a model takes.

    Attributes:
        kind: "image", "text" or "audio".
        encoded: Of the string tensor `[batch]` in a request: files as bytes,
            or texts.
        decode: From such a tensor to the model's inputs; None where no file
            can hold them.
        feature: What its strings are called in a `tf.Example`.
        raw: Of the tensor that has been decoded already, or None where there
            is no such form.
        raw_name: The signature that takes it.
        prepare: From such a tensor to the model's inputs.
    """

    kind: str
    encoded: tf.TensorSpec
    decode: Callable
    feature: str
    raw: tf.TensorSpec | None = None
    raw_name: str | None = None
    prepare: Callable | None = None

    @property
    def first(self) -> tuple[tf.TensorSpec, Callable]:
        """What `serving_default` takes, and the way to the model's inputs."""
        if self.decode is None:
            return self.raw, self.prepare
        return self.encoded, self.decode


def of(model, keep_aspect_ratio: bool) -> Inputs:
    """What a classifier takes when it is served.

    Args:
        model: A classifier that `signatures.check` accepts.
        keep_aspect_ratio: How images were resized in training.
    """
    return _BY_KIND[kind(model)](model, keep_aspect_ratio)


def kind(model) -> str | None:
    """What a model takes: by its card, else by its input; None if unknown."""
    card = cards.of(model)
    if card is not None:
        return card.input_spec.kind
    [taken] = model.inputs
    if taken.dtype == "string" and len(taken.shape) == 1:
        return "text"
    return "image" if len(taken.shape) == 4 else None


def _of_images(model, keep_aspect_ratio):
    height, width, channels = model.inputs[0].shape[1:]
    resized = height is not None and height == width
    shape = [height, width, channels]

    def decode_one(encoded):
        image = data_images.decode(encoded, channels)
        if resized:
            image = data_images.resize(image, height, keep_aspect_ratio)
        return tf.ensure_shape(image, shape)

    def decode(image_bytes):
        images = tf.map_fn(
            decode_one,
            image_bytes,
            fn_output_signature=tf.TensorSpec(shape, tf.uint8),
        )
        return tf.cast(images, model.inputs[0].dtype)

    def prepare(images):
        if resized:
            images = data_images.resize(images, height, keep_aspect_ratio)
        return tf.cast(images, model.inputs[0].dtype)

    free = [None, None, channels] if resized else shape
    decodes = channels in input_specs.IMAGE_CHANNELS
    return Inputs(
        kind="image",
        encoded=tf.TensorSpec([None], tf.string, "image_bytes"),
        decode=decode if decodes else None,
        feature="image/encoded",
        raw=tf.TensorSpec([None, *free], tf.uint8, "images"),
        raw_name="pixels",
        prepare=prepare,
    )


def _of_texts(model, keep_aspect_ratio):
    del model, keep_aspect_ratio
    return Inputs(
        kind="text",
        encoded=tf.TensorSpec([None], tf.string, "texts"),
        decode=lambda texts: texts,
        feature="text",
    )


def _of_clips(model, keep_aspect_ratio):
    del keep_aspect_ratio
    spec = cards.of(model).input_spec
    mono = spec.channels == 1

    def with_length(waveforms):
        if spec.num_samples is not None:
            waveforms = audio.set_length(waveforms, spec.num_samples)
        return waveforms[..., 0] if mono else waveforms

    def decode_one(encoded):
        waveform, sample_rate = audio.decode(encoded)
        waveform = audio.convert_channels(waveform, spec.channels)
        resampled = resampling.resample_any(
            tf.transpose(waveform), sample_rate, spec.sample_rate
        )
        waveform = tf.transpose(resampled)
        waveform = with_length(tf.ensure_shape(waveform, [None, spec.channels]))
        return tf.ensure_shape(waveform, spec.shape)

    def decode(wav_bytes):
        return tf.map_fn(
            decode_one,
            wav_bytes,
            fn_output_signature=tf.TensorSpec(spec.shape, tf.float32),
        )

    def prepare(waveforms):
        return with_length(waveforms[..., None] if mono else waveforms)

    free = [None, *spec.shape[1:]]
    return Inputs(
        kind="audio",
        encoded=tf.TensorSpec([None], tf.string, "wav_bytes"),
        decode=decode,
        feature="audio/encoded",
        raw=tf.TensorSpec([None, *free], tf.float32, "waveforms"),
        raw_name="waveforms",
        prepare=prepare,
    )


_BY_KIND = {"image": _of_images, "text": _of_texts, "audio": _of_clips}
