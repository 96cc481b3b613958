"""From what a source found to readers of batches, for each kind of input."""

import dataclasses

from tl_keras.data import audio_preparation
from tl_keras.data import image_preparation
from tl_keras.data import text_preparation

_PREPARATIONS = {
    "image": image_preparation.prepare,
    "text": text_preparation.prepare,
    "audio": audio_preparation.prepare,
}


def prepare(splits, choices):
    """Replaces the inputs of examples by readers of batches.

    Args:
        splits: Dict of split name to `Examples`.
        choices: The user's `Choices`.

    Returns:
        Dict of split name to `Examples` whose inputs are readers, and the
        `InputSpec` of what these read.

    Raises:
        ValueError: If an input cannot be read, or a choice does not fit the
            kind of input.
    """
    inputs = {split: examples.inputs for split, examples in splits.items()}
    made, input_spec = readers(inputs, choices)
    prepared = {
        split: dataclasses.replace(examples, inputs=made[split])
        for split, examples in splits.items()
    }
    return prepared, input_spec


def readers(inputs, choices):
    """Readers of batches for inputs without labels.

    Args:
        inputs: Dict of split name to `Pixels`, `Waveforms`, `Texts` or
            `Encoded`; `"train"` among them.
        choices: The user's `Choices`.

    Returns:
        Dict of split name to reader, and the `InputSpec` of what they read.

    Raises:
        ValueError: As `prepare`.
    """
    return _PREPARATIONS[inputs["train"].kind](inputs, choices)
