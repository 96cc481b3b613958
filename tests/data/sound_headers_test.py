"""Headers say what the decoders will find, and what is cut off."""

import io
import pathlib
import struct
import sys
from unittest import mock

import files_for_tests
import numpy as np
import soundfile
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import audio
from tl_keras.data import sound_formats
from tl_keras.data import sound_headers

SAMPLES = files_for_tests.random_samples(20, 2)
# What a plain file of two channels at 8000 Hz says of its format.
FORMAT = struct.pack("<HHIIHH", 1, 2, 8000, 32000, 4, 16)


def chunk(kind, content, length=None):
    length = len(content) if length is None else length
    return kind + struct.pack("<I", length) + content + b"\0" * (length % 2)


def riff(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def encode(samples, form, subtype):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 8000, format=form, subtype=subtype)
    return buffer.getvalue()


DATA = chunk(b"data", SAMPLES.tobytes())
EXTENSIBLE = (
    struct.pack("<HHIIHH", 0xFFFE, 2, 8000, 32000, 4, 16)
    + struct.pack("<HHIH", 22, 16, 3, 1)
    + bytes.fromhex("000000001000800000aa00389b71")
)


class PlainTest(parameterized.TestCase):
    @parameterized.parameters(
        (1, 8000, 33), (2, 44100, 1), (6, 11025, 7), (1, 96000, 5000)
    )
    def test_is_what_was_written(self, channels, sample_rate, num_samples):
        samples = files_for_tests.random_samples(num_samples, channels)
        header = sound_headers.read(
            files_for_tests.wav(samples, sample_rate), "x"
        )
        self.assertEqual(
            header,
            sound_headers.Header(
                sample_rate, channels, num_samples, True, is_plain=True
            ),
        )

    @parameterized.named_parameters(
        ("plain", riff(chunk(b"fmt ", FORMAT), DATA), True),
        ("long_format", riff(chunk(b"fmt ", FORMAT + b"\0\0"), DATA), True),
        (
            "more_chunks",
            riff(
                chunk(b"fmt ", FORMAT),
                chunk(b"LIST", b"abcd"),
                DATA,
                chunk(b"LIST", b"abcdef"),
            ),
            True,
        ),
        (
            "an_odd_chunk",
            riff(chunk(b"fmt ", FORMAT), chunk(b"LIST", b"abc"), DATA),
            False,
        ),
        (
            "format_not_first",
            riff(chunk(b"JUNK", b"abcd"), chunk(b"fmt ", FORMAT), DATA),
            True,
        ),
        ("extensible", riff(chunk(b"fmt ", EXTENSIBLE), DATA), False),
        ("more_bytes", riff(chunk(b"fmt ", FORMAT), DATA) + b"abc", False),
        (
            "wrong_bytes_per_second",
            riff(chunk(b"fmt ", FORMAT[:8] + b"\1\0\0\0" + FORMAT[12:]), DATA),
            False,
        ),
    )
    def test_is_said_of_what_tensorflow_reads(self, encoded, is_plain):
        header = sound_headers.read(encoded, "x")
        self.assertEqual(header.is_plain, is_plain)
        self.assertEqual(
            (header.sample_rate, header.channels, header.num_samples),
            (8000, 2, 20),
        )
        if is_plain:
            decoded = audio.decode(encoded)[0].numpy()
        else:
            with self.assertRaises(tf.errors.InvalidArgumentError):
                audio.decode(encoded)
            decoded = sound_formats.decode(encoded)
        np.testing.assert_array_equal(decoded, SAMPLES / np.float32(32768))


class OtherFormatsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("WAV", "PCM_U8", 1 / 128),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-7),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("FLAC", "PCM_16", 1 / 32768),
        ("FLAC", "PCM_24", 1e-6),
        ("OGG", "VORBIS", 0.1),
        ("MP3", "MPEG_LAYER_III", 0.1),
    )
    def test_are_measured_and_decoded(self, form, subtype, atol):
        tone = 0.5 * np.sin(np.arange(8000) * (2 * np.pi * 440 / 8000))
        stereo = np.stack([tone, -tone], axis=1).astype(np.float32)
        encoded = encode(stereo, form, subtype)
        self.assertEqual(sound_headers.format_of(encoded[:12]), form)
        header = sound_headers.read(encoded, "x")
        self.assertEqual((header.sample_rate, header.channels), (8000, 2))
        self.assertEqual(header.has_16_bits, subtype == "PCM_16")
        self.assertFalse(header.is_plain)
        decoded = sound_formats.decode(encoded)
        self.assertEqual(decoded.dtype, np.float32)
        self.assertLen(decoded, header.num_samples)
        np.testing.assert_allclose(decoded[:8000], stereo, atol=atol)

    def test_16_bits_are_decoded_as_those_of_a_plain_file(self):
        np.testing.assert_array_equal(
            sound_formats.decode(encode(SAMPLES, "FLAC", "PCM_16")),
            SAMPLES / np.float32(32768),
        )

    def test_nan_is_refused(self):
        waveform = np.array([0.0, np.nan], np.float32)
        with self.assertRaisesRegex(ValueError, "NaN"):
            sound_formats.decode(encode(waveform, "WAV", "FLOAT"))


class WithoutSoundfileTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.encoded = {
            form: encode(SAMPLES, form, subtype)
            for form, subtype in (("FLAC", "PCM_16"), ("WAV", "PCM_24"))
        }
        self.enter_context(mock.patch.dict(sys.modules, {"soundfile": None}))

    @parameterized.parameters(
        ("FLAC", "bark.x is FLAC"), ("WAV", r"bark.x is WAV \(not 16-bit PCM")
    )
    def test_the_file_its_format_and_the_command_are_named(self, form, words):
        with self.assertRaisesRegex(
            ImportError, rf'{words}.*pip install "tl_keras\[audio\]"'
        ):
            sound_headers.read(self.encoded[form], "bark.x")

    def test_plain_files_need_it_not(self):
        encoded = files_for_tests.wav(SAMPLES, 8000)
        self.assertTrue(sound_headers.read(encoded, "x").is_plain)


class ErrorsTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("an_empty_file", b"", "is no sound file. Expected a WAV, FLAC"),
        ("a_text", b"no sound here", "is no sound file"),
        ("a_text_in_utf_16", "no sound".encode("utf-16"), "is no sound file"),
        (
            "no_samples",
            riff(chunk(b"fmt ", FORMAT), chunk(b"data", b"")),
            "holds no sound: 0 samples",
        ),
        ("no_data", riff(chunk(b"fmt ", FORMAT)), "Expected b'data' among"),
        ("no_format", riff(DATA), "Got the chunks.*Expected b'fmt '"),
        ("only_a_start", riff()[:12], "no complete WAV"),
        ("a_part_of_a_chunk", riff(chunk(b"fmt ", FORMAT))[:30], "no complete"),
        (
            "cut_off",
            riff(chunk(b"fmt ", FORMAT), DATA)[:-6],
            "cut off.*it says 80 bytes of sound and holds 74.*ffmpeg",
        ),
        (
            "a_stream",
            riff(
                chunk(b"fmt ", FORMAT),
                chunk(b"data", SAMPLES.tobytes(), 2**32 - 2),
            ),
            "its header was never completed: it says 4294967294",
        ),
        ("a_broken_flac", b"fLaC" + bytes(30), "cannot be read as FLAC"),
        ("a_broken_mp3", b"ID3" + bytes(30), "cannot be read as MP3"),
        (
            "a_format_of_nothing",
            riff(chunk(b"fmt ", bytes(16)), DATA),
            "cannot be read as WAV",
        ),
    )
    def test_what_is_wrong_is_said_with_the_name(self, encoded, words):
        with self.assertRaisesRegex(ValueError, f"^bark.wav .*{words}"):
            sound_headers.read(encoded, "bark.wav")
        path = pathlib.Path(self.create_tempfile("x").full_path)
        path.write_bytes(encoded)
        with self.assertRaisesRegex(ValueError, f"^bark.wav .*{words}"):
            sound_headers.read(str(path), "bark.wav")

    def test_no_bytes_at_all_make_anything_else_than_a_clear_error(self):
        rng = np.random.default_rng(0)
        whole = riff(chunk(b"fmt ", FORMAT), chunk(b"LIST", b"abcd"), DATA)
        for _ in range(500):
            broken = bytearray(whole[: rng.integers(len(whole) + 1)])
            for _ in range(rng.integers(4)):
                if broken:
                    broken[rng.integers(len(broken))] = rng.integers(256)
            broken = bytes(broken)
            try:
                header = sound_headers.read(broken, "bark.wav")
            except ValueError as error:
                self.assertStartsWith(str(error), "bark.wav ")
                continue
            if header.is_plain:
                waveform, sample_rate = audio.decode(broken)
                self.assertEqual(
                    (header.num_samples, header.channels), waveform.shape
                )
                self.assertEqual(header.sample_rate, int(sample_rate))


if __name__ == "__main__":
    absltest.main()
