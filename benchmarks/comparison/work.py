"""A piece of work: what every contestant is to train, and on what."""

import dataclasses
import pathlib

import numpy as np

NUM_CLASSES = 10
# The encoders, and what the names of their groups begin with.
ENCODERS = {"MobileNetV2": "block_", "ResNet50V2": "conv"}
# Images are sums of a few cosines along both sides: smooth, and each another.
_WAVES = 6
_AT_A_TIME = 1000
_VALIDATION_SHARE = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """What is trained, and on what.

    Attributes:
        encoder: One of `ENCODERS`.
        alpha: Width of MobileNetV2; other encoders have none.
        image_size_px: Height and width of the images.
        cut: `"head"`, `"all"`, or a group that trains with all after it.
        images: Number of training images.
        epochs: Passes over them, each with a validation behind it.
        batch_size: Images in a step.
        source: `"memory"`: uint8 arrays; `"disk"`: JPEG files.
        seed: Of the order, and of the head's initial weights.
        hidden_units: Widths of the head's hidden layers; tl_keras only.
    """

    encoder: str
    alpha: float
    image_size_px: int
    cut: str
    images: int
    epochs: int
    batch_size: int
    source: str = "memory"
    seed: int = 0
    hidden_units: tuple[int, ...] = ()

    @property
    def options(self) -> dict:
        """The encoder's own options."""
        return {"alpha": self.alpha} if self.encoder == "MobileNetV2" else {}

    @property
    def key(self) -> str:
        """The name of the work in the file of results."""
        width = f" {self.alpha:g}" if self.options else ""
        return (
            f"{self.encoder}{width}, {self.image_size_px} px, {self.cut}, "
            f"{self.images} images from {self.source}, {self.epochs} epochs, "
            f"batches of {self.batch_size}"
        )


@dataclasses.dataclass(frozen=True)
class Files:
    """Where the images and the weights of a piece of work lie.

    Attributes:
        folder: Holds `train` and `validation`, as arrays or in class folders.
        weights: File of the encoder's weights.
    """

    folder: pathlib.Path
    weights: pathlib.Path

    def arrays(self, split) -> tuple[np.ndarray, np.ndarray]:
        """uint8 images and their int64 labels, read into memory."""
        return (
            np.load(self.folder / f"{split}_images.npy"),
            np.load(self.folder / f"{split}_labels.npy"),
        )


def has_cut(encoder: str, cut: str) -> bool:
    """Whether an encoder can be trained from a cut on."""
    return cut in ("head", "all") or cut.startswith(ENCODERS[encoder])


def write_arrays(folder, images: int, image_size_px: int):
    """Writes arrays of a training part, and a tenth as many for validation."""
    folder.mkdir(parents=True)
    for split, seed in (("train", 0), ("validation", 1)):
        count = images if seed == 0 else validation_images(images)
        array = np.lib.format.open_memmap(
            folder / f"{split}_images.npy",
            mode="w+",
            dtype=np.uint8,
            shape=(count, image_size_px, image_size_px, 3),
        )
        labels = np.arange(count) % NUM_CLASSES
        for start, drawn in patterns(labels, image_size_px, seed):
            array[start : start + len(drawn)] = drawn
        array.flush()
        np.save(folder / f"{split}_labels.npy", labels)


def write_files(folder, images: int, image_size_px: int, kind: str):
    """Writes the same images as files, `folder/SPLIT/CLASS/NUMBER.kind`."""
    from PIL import Image

    for split, seed in (("train", 0), ("validation", 1)):
        count = images if seed == 0 else validation_images(images)
        labels = np.arange(count) % NUM_CLASSES
        for label in range(NUM_CLASSES):
            (folder / split / str(label)).mkdir(parents=True)
        for start, drawn in patterns(labels, image_size_px, seed):
            for number, image in enumerate(drawn, start):
                place = folder / split / str(labels[number])
                Image.fromarray(image).save(place / f"{number}.{kind}")


def validation_images(images: int) -> int:
    """How many validation images there are beside so many for training."""
    return max(NUM_CLASSES, round(images * _VALIDATION_SHARE))


def patterns(labels, image_size_px: int, seed: int):
    """Smooth random images, somewhat alike within a class.

    Yields:
        Index of the first one, and uint8 `[up to 1000, size, size, 3]`.
    """
    places = (np.arange(image_size_px) + 0.5) / image_size_px
    basis = np.cos(np.pi * np.outer(places, np.arange(_WAVES)))
    basis = basis.astype("float32")
    shape = (_WAVES, _WAVES, 3)
    # The classes are the same in training and validation.
    centres = np.random.default_rng(0).normal(size=(NUM_CLASSES, *shape))
    rng = np.random.default_rng([1, seed])
    for start in range(0, len(labels), _AT_A_TIME):
        chosen = centres[labels[start : start + _AT_A_TIME]]
        waves = (chosen + rng.normal(size=chosen.shape)).astype("float32")
        images = np.einsum(
            "hi,nijc,wj->nhwc", basis, waves, basis, optimize=True
        )
        yield start, np.clip(128 + 16 * images, 0, 255).astype("uint8")
