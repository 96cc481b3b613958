"""Tests of files that cannot be read or are unlike the others."""

import io
import pathlib
import wave

import numpy as np
import PIL.Image
from absl.testing import absltest

from tl_keras.auditing import files
from tl_keras.data import folders


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(array).save(path)


def wav(samples, sample_rate=8000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


class ImageFilesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = pathlib.Path(absltest.get_default_test_tmpdir()) / "files"
        rng = np.random.default_rng(0)
        for number in range(8):
            image = rng.integers(0, 256, (20, 30, 3), np.uint8)
            save(root / "ab"[number % 2] / f"{number}.png", image)
        grey = np.full((20, 30), 99, np.uint8)
        save(root / "a" / "grey.png", grey)
        opaque = np.full((20, 30, 4), 255, np.uint8)
        opaque[:, :15, 0] = 3
        save(root / "a" / "opaque.png", opaque)
        clear = opaque.copy()
        clear[0, 0, 3] = 0
        save(root / "a" / "clear.png", clear)
        save(root / "a" / "long.png", np.tile(opaque[:, :1, :3], (1, 90, 1)))
        save(root / "a" / "large.png", opaque.repeat(5, 0).repeat(5, 1))
        whole = (root / "a" / "0.png").read_bytes()
        (root / "a" / "half.png").write_bytes(whole[:300])
        (root / "b" / "empty.jpg").write_bytes(b"")
        cls.root = root
        cls.found = files.check(folders.read(str(root)))

    def named(self, ids):
        return sorted(str(pathlib.Path(i).relative_to(self.root)) for i in ids)

    def test_what_cannot_be_decoded_is_listed(self):
        self.assertEqual(self.found.checked, 15)
        names = self.named(self.found.unreadable)
        self.assertEqual(names, ["a/half.png", "b/empty.jpg"])

    def test_what_is_unlike_the_others_is_listed_with_the_reason(self):
        said = {
            pathlib.Path(id_).name: text for id_, text in self.found.odd.items()
        }
        self.assertEqual(
            said,
            {
                "grey.png": "20 x 30, grey: grey",
                "clear.png": "20 x 30, colour, with transparency: "
                "with transparency",
                "large.png": "100 x 150, colour: far larger than most",
                "long.png": "20 x 90, colour: far from square",
            },
        )

    def test_forms_are_counted(self):
        self.assertEqual(self.found.forms["20 x 30, colour"], 9)


class SoundFilesTest(absltest.TestCase):
    def test_other_rates_and_broken_files_are_listed(self):
        root = pathlib.Path(self.create_tempdir().full_path)
        rng = np.random.default_rng(0)
        for number in range(6):
            path = root / "ab"[number % 2] / f"{number}.wav"
            path.parent.mkdir(exist_ok=True)
            samples = rng.integers(-999, 999, 4000)
            path.write_bytes(wav(samples))
        (root / "a" / "rate.wav").write_bytes(wav(samples, 4000))
        (root / "a" / "long.wav").write_bytes(wav(np.tile(samples, 5)))
        (root / "b" / "broken.wav").write_bytes(b"RIFF" + bytes(40))
        found = files.check(folders.read(str(root)))
        self.assertEqual(
            {pathlib.Path(i).name: s for i, s in found.odd.items()},
            {
                "rate.wav": "1.0 s, 4000 Hz, 1 channels: 4000 Hz",
                "long.wav": "2.5 s, 8000 Hz, 1 channels: far larger than most",
            },
        )
        [id_] = found.unreadable
        self.assertEqual(pathlib.Path(id_).name, "broken.wav")


if __name__ == "__main__":
    absltest.main()
