"""Examples as a source gives them: inputs, labels, ids, before any choice."""

import dataclasses

import numpy as np

from tl_keras.data import labels as labels_


@dataclasses.dataclass(frozen=True, eq=False)
class Pixels:
    """Images that are arrays already.

    Attributes:
        array: uint8 or float32 `[examples, height, width, channels]`.
    """

    array: np.ndarray

    kind = "image"

    def __len__(self):
        return len(self.array)

    def take(self, indices):
        """The images at these indices."""
        return Pixels(self.array[indices])


@dataclasses.dataclass(frozen=True, eq=False)
class Waveforms:
    """Clips of sound that are arrays already.

    Attributes:
        array: float32 in -1..1 or int16, `[examples, samples, channels]`.
        sample_rate: Samples per second, in Hz.
    """

    array: np.ndarray
    sample_rate: int

    kind = "audio"

    def __len__(self):
        return len(self.array)

    def take(self, indices):
        """The clips at these indices."""
        return Waveforms(self.array[indices], self.sample_rate)


@dataclasses.dataclass(frozen=True, eq=False)
class Texts:
    """Texts.

    Attributes:
        values: Array of `str`.
    """

    values: np.ndarray

    kind = "text"

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        """The texts at these indices."""
        return Texts(self.values[indices])


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """Images or clips of sound that are still encoded, in files or as bytes.

    Attributes:
        values: Array of `bytes`, each an encoded input; or of `str`, each the
            path of a file.
        names: Array of `str`: how an error speaks of each input.
        kind: `"image"` or `"audio"`.
    """

    values: np.ndarray
    names: np.ndarray
    kind: str

    def __len__(self):
        return len(self.values)

    @property
    def are_paths(self) -> bool:
        """Whether `values` are paths."""
        return isinstance(self.values[0], str)

    def take(self, indices):
        """The inputs at these indices."""
        return Encoded(self.values[indices], self.names[indices], self.kind)


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Labelled inputs of one split.

    Attributes:
        inputs: `Pixels`, `Waveforms`, `Texts` or `Encoded`; in a `Data`, a
            reader of batches.
        labels: np.int64 array `[examples]`, each in `[0, classes)`.
        ids: Array of `str`: the file's path, or the source's own id.
        digests: uint8 array `[examples, 16]`: hashes of the inputs' content.
        columns: What else the source says of each example: a name to an array
            `[examples]` of texts or numbers.
    """

    inputs: object
    labels: np.ndarray
    ids: np.ndarray
    digests: np.ndarray
    columns: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self):
        return len(self.labels)

    def take(self, indices):
        """The examples at these indices, in their order."""
        return Examples(
            self.inputs.take(indices),
            self.labels[indices],
            self.ids[indices],
            self.digests[indices],
            {name: values[indices] for name, values in self.columns.items()},
        )


def joined(first: Examples, second: Examples) -> Examples:
    """The examples of two splits of one source, one after the other.

    Columns that only one of them has are left out.
    """
    inputs = {}
    for field in dataclasses.fields(first.inputs):
        values = [getattr(one.inputs, field.name) for one in (first, second)]
        is_array = isinstance(values[0], np.ndarray)
        inputs[field.name] = np.concatenate(values) if is_array else values[0]
    return Examples(
        type(first.inputs)(**inputs),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.ids, second.ids]),
        np.concatenate([first.digests, second.digests]),
        {
            name: np.concatenate([values, second.columns[name]])
            for name, values in first.columns.items()
            if name in second.columns
        },
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Named splits of examples with class names, as they were found.

    Attributes:
        name: What the user called it.
        class_names: Names by label.
        train: The training part, with examples of every class.
        validation: The validation part, or None.
        test: The test part, or None.
    """

    name: str
    class_names: tuple[str, ...]
    train: Examples
    validation: Examples | None = None
    test: Examples | None = None

    @property
    def kind(self) -> str:
        """What its inputs are: `"image"`, `"text"` or `"audio"`."""
        return self.train.inputs.kind

    def __post_init__(self):
        labels_.check_classes(self.name, self.class_names, self.train.labels)
