"""Made-up images and sounds in files, shared by the tests of `data`."""

import io
import pathlib
import wave

import numpy as np
import PIL.Image


def random_images(*shape, seed=0):
    """Random uint8 images."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def png(array) -> bytes:
    """An array as the bytes of a PNG file."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def write_png(path, array):
    """Writes an array as a PNG file, and the folders above it."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(array))


def write_class_folders(root, names, per_class, shape=(6, 6, 3), seed=0):
    """Writes random images into class folders; returns them by path."""
    written = {}
    for number, name in enumerate(names):
        images = random_images(per_class, *shape, seed=seed + number)
        for index, image in enumerate(images):
            path = pathlib.Path(root) / name / f"{index:03d}.png"
            write_png(path, image)
            written[str(path)] = image
    return written


def random_samples(*shape, seed=0):
    """Random int16 samples."""
    rng = np.random.default_rng(seed)
    return rng.integers(-(2**15), 2**15, shape, dtype=np.int16)


def wav(samples, sample_rate) -> bytes:
    """int16 `[samples]` or `[samples, channels]` as the bytes of a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def write_wav(path, samples, sample_rate):
    """Writes int16 samples as a WAV file, and the folders above it."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav(samples, sample_rate))


def batches(dataset):
    """All elements of a data set, as tuples of arrays."""
    return [tuple(part.numpy() for part in element) for element in dataset]


def assert_equal_batches(first, second):
    """Checks that two lists of batches are equal to the bit."""
    assert len(first) == len(second), (len(first), len(second))
    for one, other in zip(first, second, strict=True):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
