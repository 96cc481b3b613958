"""The forms of a LiteRT file: how its weights and its arithmetic are kept."""

import functools
import re

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras import graph
from tl_keras.serving import portable
from tl_keras.serving import rounding

# Rounding's shift is a mean over examples and positions; the network runs on
# these at once.
_SHIFT_EXAMPLES = 64


def content(model, form: str, calibration) -> bytes:
    """A model as the content of a LiteRT file.

    Args:
        model: A classifier that `portable.check` accepts.
        form: One of `FORMS`.
        calibration: For "int8" an iterable of batches of raw inputs.

    Raises:
        TypeError: If `calibration` is no iterable of arrays.
        ValueError: If there is no such form, if `calibration` is missing or
            does not fit the model, or if LiteRT lacks an operation.
    """
    checks.one_of(form, FORMS, name="form")
    return FORMS[form](portable.in_float32(model), calibration)


def _float32(model, calibration):
    return _converted(_converter(portable.Portable(model)))


def _float16(model, calibration):
    converter = _converter(portable.Portable(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _converted(converter)


def _dynamic_range(model, calibration):
    converter = _converter(portable.Portable(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return _converted(converter)


def _int8(model, calibration):
    examples = _examples(model, calibration)
    shifts = rounding.shifts(model, examples[:_SHIFT_EXAMPLES])
    # Only float inputs can be calibrated; pixels become uint8 further down.
    whole = portable.Portable(
        model, tf.float32, functools.partial(_without, model, shifts)
    )
    converter = _converter(whole)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [example[None]] for example in examples
    )
    # What has no 8-bit kernel stays float.
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,
    ]
    if whole.input_name == "images":
        converter.inference_input_type = tf.uint8
        _widen(examples)
    return _converted(converter)


def _widen(images):
    """Makes the pixels' range 0..255, in place, if by chance it is narrower.

    Then a step of the file's input is 1, and pixels go in as they are.
    """
    images[0].flat[0], images[-1].flat[-1] = 0, 255


def _without(model, shifts, inputs):
    """What the network gives once what its rounding will add is taken off."""
    whole = graph.flat(model)
    return whole.run([inputs], rounding.without(shifts))


def _examples(model, calibration):
    """The calibration's examples as one float32 array, a copy."""
    if calibration is None:
        raise ValueError(
            "`calibration` is missing. Got: form 'int8', for which LiteRT has "
            "to know the range of each activation. Expected batches of "
            "training inputs, e.g. `calibration=litert.calibration_batches("
            "data)`."
        )
    expected = tuple(model.inputs[0].shape[1:])
    batches = []
    for batch in calibration:
        if isinstance(batch, (tuple, list)):
            raise TypeError(
                f"`calibration` gives a {type(batch).__name__} of "
                f"{len(batch)}. Expected inputs without their labels: "
                "`dataset.map(lambda inputs, labels: inputs)`."
            )
        batch = np.array(batch, np.float32)
        if batch.shape[1:] != expected:
            raise ValueError(
                "`calibration` does not fit the model. Got a batch of shape "
                f"{batch.shape}. Expected ('batch', *{expected})."
            )
        batches.append(batch)
    if not sum(map(len, batches)):
        raise ValueError(
            "`calibration` is empty. Expected some batches of training "
            "inputs; an iterator can be read only once."
        )
    return np.concatenate(batches)


def _converter(whole):
    function = whole.function.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function], whole)


def _converted(converter):
    try:
        return converter.convert()
    except Exception as error:
        # The converter has no class of errors that is public.
        if type(error).__name__ != "ConverterError":
            raise
        raise ValueError(
            "LiteRT cannot run this model. Its converter says: "
            f"{_told_by(error)}. Expected TensorFlow Lite's own operations "
            "only; serve the SavedModel that `tl_keras.serving.export` writes."
        ) from error


def _told_by(error) -> str:
    """What the converter says, without the pages of a graph's listing."""
    missing = re.findall(r"'tf\.(\w+)' op is neither", str(error))
    if missing:
        return f"there is no operation {', '.join(sorted(set(missing)))}"
    return str(error).split("\n", 1)[0]


FORMS = {
    "float32": _float32,
    "float16": _float16,
    "dynamic_range": _dynamic_range,
    "int8": _int8,
}
