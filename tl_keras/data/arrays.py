"""`from_arrays`: data from arrays in memory."""

import numpy as np

from tl_keras.data import audio_arrays
from tl_keras.data import examples
from tl_keras.data import fingerprint
from tl_keras.data import image_arrays
from tl_keras.data import labels as labels_
from tl_keras.data import texts

_VALIDATION_FRACTION = 0.1


def from_arrays(
    train,
    validation=None,
    test=None,
    class_names=None,
    batch_size: int = 32,
    seed: int = 0,
    image_size: int | None = None,
    channels: int | None = None,
    sample_rate: int | None = None,
):
    """Data from arrays of images, texts or sounds, and their labels.

    Args:
        train: `(inputs, labels)`. Labels `[examples]`: whole numbers from 0
            to the number of classes - 1, every class at least once. Inputs:

            - images `[examples, height, width]` or `[examples, height, width,
              1 or 3 or 4]`: uint8, other integers in 0..255, or floats on the
              scale 0..255, which stay float32;
            - texts `[examples]`: an array or a list of `str`;
            - with `sample_rate`, waveforms `[examples, samples]` or
              `[examples, samples, channels]`: floats in -1..1, or int16,
              which is divided by 32768.
        validation: `(inputs, labels)`; None to split a tenth off `train`,
            stratified and seeded; False for no validation part.
        test: `(inputs, labels)`, or None. Where the labels are None or all
            -1, it is left out with a warning.
        class_names: Names by label; None for "0", "1", ...
        batch_size: Examples per batch, at least 1.
        seed: Seed of the validation split, the order and the augmentation, in
            [0, 2**32 - 1].
        image_size: Of images: height and width to resize to, in pixels; None
            keeps their own size, which must be square.
        channels: Of images, 1, 3 or 4; of waveforms, 1 or as many as they
            have, or any if they have one. None keeps their own number.
        sample_rate: Samples per second of waveforms, in Hz; None for images
            and texts.

    Returns:
        A `Data`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If arrays have the wrong shape or dtype, do not fit
            together, or have NaN in them; if a text is none or empty; if a
            waveform is far outside of -1..1; if a label is NaN, no whole
            number or out of range, or a class has no training example; or if
            an argument is for another kind of input.

    Example:
        >>> import numpy as np
        >>> import tl_keras
        >>> images = np.zeros([40, 8, 8, 3], np.uint8)
        >>> labels = np.arange(40) % 2
        >>> data = tl_keras.data.from_arrays((images, labels))
        >>> data.num_examples
        {'train': 36, 'validation': 4, 'test': 0}
    """
    # TensorFlow takes seconds to import; wrong arguments answer without it.
    from tl_keras.data import choices

    none_wanted = validation is False
    chosen = choices.Choices(
        image_size=image_size,
        batch_size=batch_size,
        seed=seed,
        channels=channels,
        validation_fraction=0.0 if none_wanted else _VALIDATION_FRACTION,
        sample_rate=sample_rate,
    )
    parts = {
        "train": train,
        "validation": None if none_wanted else validation,
        "test": test,
    }
    return chosen.apply(to_source("arrays", parts, class_names, sample_rate))


def to_source(
    name: str, parts, class_names=None, sample_rate: int | None = None
) -> examples.Source:
    """A source from arrays by split name.

    Args:
        name: Name of the source.
        parts: Dict with `"train"`, `"validation"` and `"test"`: `(inputs,
            labels)`, or None for the last two.
        class_names: Names by label, or None.
        sample_rate: That of waveforms, in Hz; None for images or texts.
    """
    pairs = {
        split: _pair(part, split)
        for split, part in parts.items()
        if part is not None
    }
    if "train" not in pairs:
        raise TypeError(
            "`train` must be a pair of inputs and labels. Got: None."
        )
    inputs = _inputs({split: x for split, (x, _) in pairs.items()}, sample_rate)
    labels = {split: _labels(y, split) for split, (_, y) in pairs.items()}
    if class_names is None:
        highest = max(1, int(labels["train"].max(initial=0)))
        if highest >= max(2, len(labels["train"])):
            raise ValueError(
                f"The labels of `train` go up to {highest}, with "
                f"{len(labels['train'])} examples, so that most classes have "
                "none. Expected class numbers from 0 on; number them anew "
                "(`numpy.unique(labels, return_inverse=True)`)."
            )
        class_names = [str(label) for label in range(highest + 1)]
    class_names = tuple(map(str, class_names))
    splits = {
        split: _examples(inputs[split], labels[split], class_names, split)
        for split in pairs
        if labels[split] is not None
    }
    return examples.Source(name, class_names, **splits)


def _pair(part, split):
    if isinstance(part, (tuple, list)) and len(part) == 2:
        return part
    raise TypeError(
        f"`{split}` must be a pair of inputs and labels. Got: "
        f"{type(part).__name__}. Expected: `(inputs, labels)`."
    )


def _inputs(parts, sample_rate):
    """Checked inputs by split name, of the kind that the training part is."""
    if sample_rate is not None:
        return {
            split: audio_arrays.to_inputs(waveforms, split, sample_rate)
            for split, waveforms in parts.items()
        }
    if texts.are_texts(parts["train"]):
        return {s: texts.to_inputs(values, s) for s, values in parts.items()}
    images = {s: image_arrays.to_inputs(x, s) for s, x in parts.items()}
    image_arrays.check_alike(images)
    return images


def _labels(labels, split):
    """np.int64 labels; None for a test part that has none."""
    where = f"`{split}`"
    if labels is not None or split != "test":
        labels = labels_.whole_numbers(labels, where=where)
    if split == "test" and labels_.are_missing(labels, where=where):
        return None
    return labels


def _examples(inputs, labels, class_names, split):
    if len(inputs) != len(labels):
        raise ValueError(
            f"Inputs and labels of `{split}` do not pair up. Got: "
            f"{len(inputs)} inputs and {len(labels)} labels. Expected as many."
        )
    labels_.check_range(labels, len(class_names), where=f"`{split}`")
    ids = np.array([f"{split}[{i}]" for i in range(len(labels))], object)
    if isinstance(inputs, examples.Texts):
        return texts.to_examples(inputs.values, labels, ids)
    digests = fingerprint.of_rows(inputs.array)
    return examples.Examples(inputs, labels, ids, digests)
