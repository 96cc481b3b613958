"""`from_arrays`: data from arrays in memory."""

import numpy as np

from tl_keras.data import examples
from tl_keras.data import fingerprint
from tl_keras.data import labels as labels_

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
):
    """Data from arrays of images and labels.

    Args:
        train: `(images, labels)`. Images `[examples, height, width]` or
            `[examples, height, width, 1 or 3 or 4]`: uint8, other integers in
            0..255, or floats on the scale 0..255, which stay float32. Labels
            `[examples]`: whole numbers from 0 to the number of classes - 1,
            every class at least once.
        validation: `(images, labels)`; None to split a tenth off `train`,
            stratified and seeded; False for no validation part.
        test: `(images, labels)`, or None. Where the labels are None or all
            -1, it is left out with a warning.
        class_names: Names by label; None for "0", "1", ...
        batch_size: Examples per batch, at least 1.
        seed: Seed of the validation split, the order and the augmentation, in
            [0, 2**32 - 1].
        image_size: Height and width to resize to, in pixels; None keeps the
            images' own size, which must be square.
        channels: 1, 3 or 4; None keeps the images' own number.

    Returns:
        A `Data`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If arrays have the wrong shape or dtype, do not fit
            together, or have NaN in them; if a label is NaN, no whole number
            or out of range, or a class has no training example.

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
        train_examples=None,
        keep_aspect_ratio=False,
        cache="auto",
    )
    parts = {
        "train": train,
        "validation": None if none_wanted else validation,
        "test": test,
    }
    return chosen.apply(to_source("arrays", parts, class_names))


def to_source(name: str, parts, class_names=None) -> examples.Source:
    """A source from arrays by split name.

    Args:
        name: Name of the source.
        parts: Dict with `"train"`, `"validation"` and `"test"`: `(images,
            labels)`, or None for the last two.
        class_names: Names by label, or None.
    """
    pairs = {
        split: _pair(part, split)
        for split, part in parts.items()
        if part is not None
    }
    if "train" not in pairs:
        raise TypeError(
            "`train` must be a pair of images and labels. Got: None."
        )
    images = {split: _images(x, split) for split, (x, _) in pairs.items()}
    _check_alike(images)
    labels = {split: _labels(y, split) for split, (_, y) in pairs.items()}
    if class_names is None:
        highest = max(1, int(labels["train"].max(initial=0)))
        class_names = [str(label) for label in range(highest + 1)]
    class_names = tuple(map(str, class_names))
    splits = {
        split: _examples(images[split], labels[split], class_names, split)
        for split in pairs
        if labels[split] is not None
    }
    return examples.Source(name, class_names, **splits)


def _pair(part, split):
    if isinstance(part, (tuple, list)) and len(part) == 2:
        return part
    raise TypeError(
        f"`{split}` must be a pair of images and labels. Got: "
        f"{type(part).__name__}. Expected: `(images, labels)`."
    )


def _images(images, split):
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"The images of `{split}` have the wrong shape. Got: "
            f"{images.shape}. Expected: (examples, height, width) or "
            "(examples, height, width, channels) with 1, 3 or 4 channels, "
            "which come last."
        )
    if 0 in images.shape:
        raise ValueError(
            f"The images of `{split}` are empty. Got shape: {images.shape}. "
            "Leave the part out if there are none."
        )
    if images.dtype.kind == "f":
        return _finite(images.astype(np.float32, copy=False), split)
    if images.dtype.kind not in "iu":
        raise ValueError(
            f"The images of `{split}` have the wrong dtype. Got: "
            f"{images.dtype}. Expected integers or floats on the scale 0..255."
        )
    low, high = images.min(), images.max()
    if low < 0 or high > 255:
        raise ValueError(
            f"The images of `{split}` are out of range. Got integers from "
            f"{low} to {high}. Expected 0..255; for 16 bits, divide by 257."
        )
    return images.astype(np.uint8, copy=False)


def _finite(images, split):
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    if not finite.all():
        raise ValueError(
            f"{(~finite).sum()} images of `{split}` contain NaN or infinity. "
            f"The first is at position {finite.argmin()}. Expected values on "
            "the scale 0..255."
        )
    return images


def _check_alike(images):
    kinds = {
        split: f"{array.dtype} with {array.shape[-1]} channels"
        for split, array in images.items()
    }
    if len(set(kinds.values())) > 1:
        raise ValueError(
            "The parts' images are of different kinds. Got: "
            + ", ".join(f"{split} {kind}" for split, kind in kinds.items())
            + ". Expected the same dtype and channels, so that all are on one "
            "scale."
        )


def _labels(labels, split):
    """np.int64 labels; None for a test part that has none."""
    where = f"`{split}`"
    if labels is not None or split != "test":
        labels = labels_.whole_numbers(labels, where=where)
    if split == "test" and labels_.are_missing(labels, where=where):
        return None
    return labels


def _examples(images, labels, class_names, split):
    if len(images) != len(labels):
        raise ValueError(
            f"Images and labels of `{split}` do not pair up. Got: "
            f"{len(images)} images and {len(labels)} labels. Expected as many."
        )
    labels_.check_range(labels, len(class_names), where=f"`{split}`")
    ids = np.array([f"{split}[{i}]" for i in range(len(labels))], object)
    return examples.Examples(
        examples.Pixels(images), labels, ids, fingerprint.of_rows(images)
    )
