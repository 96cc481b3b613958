"""The form of clips, and that keeping them changes the time, not the values."""

import pathlib
import sys
from unittest import mock

import files_for_tests
import numpy as np
import scipy.signal
import soundfile
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import input_specs
from tl_keras.data import arrays
from tl_keras.data import augmentation
from tl_keras.data import memory
from tl_keras.data import reading
from tl_keras.data import sound_formats
from tl_keras.data import sources

LENGTHS = (300, 500, 400, 450)


class ClipsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.samples = {}

    def write(self, rates=(8000,) * 4, channels=(1,) * 4, part="", end="wav"):
        for name in ("a", "b"):
            for index, length in enumerate(LENGTHS):
                samples = files_for_tests.random_samples(
                    length, channels[index], seed=index + 10 * (name == "b")
                )
                path = self.root / part / name / f"{index}.{end}"
                if end == "wav":
                    files_for_tests.write_wav(path, samples, rates[index])
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    soundfile.write(path, samples, rates[index])
                self.samples[str(path)] = samples

    def load(self, **options):
        options = {"batch_size": 3, "validation_fraction": 0.25} | options
        return sources.load(f"folder:{self.root}", **options)

    def clips(self, data, split="train"):
        """Clips by the path of their file."""
        batches = data.evaluation_batches(split).unbatch()
        clips = [clip for clip, _ in batches.as_numpy_iterator()]
        return dict(zip(data.ids(split), clips, strict=True))


class FormTest(ClipsTest):
    def test_is_that_of_the_longest_training_clip_at_the_common_rate(self):
        self.write(part="train")
        long = files_for_tests.random_samples(999)
        files_for_tests.write_wav(self.root / "test/a/long.wav", long, 8000)
        data = self.load(validation_fraction=0)
        self.assertEqual(
            data.input_spec,
            input_specs.AudioSpec(sample_rate=8000, num_samples=500),
        )
        for path, clip in self.clips(data).items():
            samples = self.samples[path][:, 0] / np.float32(32768)
            expected = np.pad(samples, (0, 500 - len(samples)))
            np.testing.assert_array_equal(clip, expected)
        ((clip, _),) = files_for_tests.batches(data.test)
        expected = long[None, :500] / np.float32(32768)
        np.testing.assert_array_equal(clip, expected)

    def test_batches_are_waveforms_and_labels(self):
        self.write(channels=(2,) * 4)
        clips, labels = self.load(seconds=0.05).train.element_spec
        self.assertEqual(clips, tf.TensorSpec([None, 400, 2], tf.float32))
        self.assertEqual(labels, tf.TensorSpec([None], tf.int32))
        clips, _ = self.load(channels=1).train.element_spec
        self.assertEqual(clips, tf.TensorSpec([None, 500], tf.float32))

    def test_clips_are_resampled_then_cut_or_filled_up(self):
        self.write(rates=(8000, 16000, 11025, 22050))
        data = self.load(sample_rate=16000, seconds=0.04)
        self.assertEqual(data.input_spec.shape, (640,))
        rates = dict(zip("0123", (8000, 16000, 11025, 22050), strict=True))
        for path, clip in self.clips(data).items():
            samples = self.samples[path][:, 0] / 32768
            rate = rates[pathlib.Path(path).stem]
            resampled = scipy.signal.resample_poly(samples, 16000, rate)
            expected = np.pad(resampled, (0, 1000))[:640]
            np.testing.assert_allclose(clip, expected, atol=1e-5)

    def test_the_longest_clip_is_measured_after_resampling(self):
        self.write(rates=(8000, 16000, 16000, 16000))
        data = self.load(sample_rate=16000, validation_fraction=0)
        # 300 samples at 8000 Hz are 600 at 16000 Hz, more than 500.
        self.assertEqual(data.input_spec.num_samples, 600)

    def test_two_rates_are_refused_with_a_file_of_each(self):
        self.write(rates=(8000, 8000, 16000, 8000))
        with self.assertRaisesRegex(
            ValueError, "8000 Hz in .*wav, 16000 Hz in .*/2.wav.*sample_rate="
        ):
            self.load()

    def test_rates_without_a_simple_ratio_are_refused_at_once(self):
        self.write(rates=(8000, 8000, 44101, 8000))
        with self.assertRaisesRegex(ValueError, "44101 Hz and 8000 Hz"):
            self.load(sample_rate=8000, cache=False)

    def test_channels_that_differ_are_mixed_to_one(self):
        self.write(channels=(1, 2, 1, 3))
        data = self.load()
        self.assertEqual(data.input_spec.channels, 1)
        for path, clip in self.clips(data).items():
            expected = self.samples[path].mean(axis=1) / 32768
            np.testing.assert_allclose(
                clip[: len(expected)], expected, atol=1e-6
            )

    def test_one_channel_is_repeated_if_more_are_asked_for(self):
        self.write(channels=(1, 2, 1, 2))
        data = self.load(channels=2)
        self.assertEqual(data.input_spec.shape, (500, 2))
        for path, clip in self.clips(data).items():
            expected = self.samples[path] / np.float32(32768)
            expected = expected + np.zeros([2], np.float32)
            np.testing.assert_array_equal(clip[: len(expected)], expected)

    def test_two_channels_do_not_become_three(self):
        self.write(channels=(1, 2, 1, 1))
        with self.assertRaisesRegex(ValueError, "/1.wav has 2 channels.*=3"):
            self.load(channels=3)

    def test_less_than_a_sample_is_no_clip(self):
        self.write()
        with self.assertRaisesRegex(ValueError, "`seconds` is too short"):
            self.load(seconds=1e-5)


class KeptOrNotTest(ClipsTest):
    @parameterized.parameters(
        ({}, {}, tf.int16),
        ({"seconds": 0.05}, {"channels": (2,) * 4}, tf.int16),
        ({"channels": 2}, {}, tf.int16),
        ({}, {"end": "flac"}, tf.int16),
        ({"channels": 1}, {"channels": (2,) * 4}, tf.float32),
        ({}, {"channels": (1, 2, 1, 1)}, tf.float32),
        ({"sample_rate": 16000}, {}, tf.float32),
        ({"sample_rate": 8000}, {"rates": (8000, 4000) * 2}, tf.float32),
    )
    def test_the_batches_are_equal(self, options, written, dtype):
        self.write(**written)
        kept = self.load(cache=True, **options)
        not_kept = self.load(cache=False, **options)
        reader = kept.splits["train"].inputs
        self.assertIsInstance(reader, reading.InMemory)
        self.assertEqual(reader.values.dtype, dtype)
        self.assertIsInstance(not_kept.splits["train"].inputs, reading.OnTheFly)
        self.assertEqual(kept.input_spec, not_kept.input_spec)
        for view in ("validation", "train_epochs"):
            views = [getattr(data, view) for data in (kept, not_kept)]
            if view == "train_epochs":
                views = [epochs(epochs=2) for epochs in views]
            files_for_tests.assert_equal_batches(
                *map(files_for_tests.batches, views)
            )
        self.assertEqual(kept.fingerprint, not_kept.fingerprint)

    def test_formats_may_be_mixed(self):
        self.write()
        for path in (self.root / "a").iterdir():
            samples, rate = soundfile.read(path, dtype="int16")
            soundfile.write(path.with_suffix(".flac"), samples, rate)
            path.unlink()
        for cache in (True, False):
            clips = self.clips(self.load(cache=cache, validation_fraction=0))
            self.assertLen(clips, 8)
            for path, clip in clips.items():
                samples = self.samples[path.replace(".flac", ".wav")][:, 0]
                np.testing.assert_array_equal(
                    clip[: len(samples)], samples / np.float32(32768)
                )

    def test_no_more_than_a_share_of_the_memory_is_taken(self):
        self.write()
        # Eight clips of 500 int16 samples are 8,000 bytes.
        for available, kind in (
            (4 * 8000, reading.InMemory),
            (4 * 8000 - 4, reading.OnTheFly),
        ):
            with mock.patch.object(
                memory, "available_bytes", lambda value=available: value
            ):
                data = self.load(seconds=500 / 8000)
            self.assertIsInstance(data.splits["train"].inputs, kind)

    def test_kept_clips_are_decoded_once(self):
        self.write(end="flac")
        decode = sound_formats.decode
        with mock.patch.object(
            sound_formats, "decode", side_effect=decode
        ) as d:
            data = self.load(cache=True)
            files_for_tests.batches(data.train_epochs(epochs=3))
        self.assertEqual(d.call_count, 8)

    def test_headers_are_read_without_decoding(self):
        self.write()
        with mock.patch.object(tf.audio, "decode_wav") as decode_wav:
            self.load(cache=False)
        decode_wav.assert_not_called()


class ErrorsTest(ClipsTest):
    def test_a_file_that_cannot_be_decoded_is_named(self):
        self.write(end="flac")
        file = self.root / "b" / "2.flac"
        content = file.read_bytes()
        file.write_bytes(content[:200] + bytes(len(content) - 200))
        with self.assertRaisesRegex(
            ValueError, "b/2.flac cannot be decoded. Expected a WAV.*says: "
        ):
            self.load(cache=True)

    @parameterized.parameters(b"no sound", b"", None)
    def test_it_is_named_when_it_is_read_if_clips_are_not_kept(self, content):
        self.write()
        data = self.load(cache=False)
        file = self.root / "b" / "2.wav"
        file.unlink() if content is None else file.write_bytes(content)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "b/2.wav cannot be decoded"
        ):
            for split in ("train", "validation"):
                list(data.evaluation_batches(split))

    def test_an_empty_file_is_named_at_once(self):
        self.write()
        (self.root / "b" / "2.wav").write_bytes(b"")
        with self.assertRaisesRegex(ValueError, "b/2.wav is no sound file"):
            self.load(cache=False)

    def test_a_missing_package_is_named_with_the_file(self):
        self.write(end="flac")
        with mock.patch.dict(sys.modules, {"soundfile": None}):
            with self.assertRaisesRegex(
                ImportError, r"a/\d.flac is FLAC.*tl_keras\[audio\]"
            ):
                self.load()

    def test_augmentation_of_images_is_refused(self):
        self.write()
        with self.assertRaisesRegex(ValueError, "Augmentation changes images"):
            self.load().train_epochs(
                augmentation=augmentation.Augmentation(flip=True)
            )


class ArraysTest(parameterized.TestCase):
    @parameterized.parameters(np.int16, np.float32, np.float64)
    def test_become_floats(self, dtype):
        samples = files_for_tests.random_samples(8, 50)
        waveforms = samples if dtype == np.int16 else samples / dtype(32768)
        data = arrays.from_arrays(
            (waveforms, np.arange(8) % 2),
            test=(waveforms, np.arange(8) % 2),
            sample_rate=8000,
        )
        self.assertEqual(
            data.input_spec,
            input_specs.AudioSpec(sample_rate=8000, num_samples=50),
        )
        ((clips, _),) = files_for_tests.batches(data.test)
        self.assertEqual(clips.dtype, np.float32)
        np.testing.assert_array_equal(clips, samples / np.float32(32768))

    def test_parts_may_differ_in_length_and_channels(self):
        train = files_for_tests.random_samples(8, 50, 2)
        test = files_for_tests.random_samples(4, 60)
        data = arrays.from_arrays(
            (train, np.arange(8) % 2),
            test=(test, np.arange(4) % 2),
            sample_rate=8000,
        )
        self.assertEqual(data.input_spec.shape, (50,))
        ((clips, _),) = files_for_tests.batches(data.test)
        expected = test[:, :50] / np.float32(32768)
        np.testing.assert_array_equal(clips, expected)

    def test_channels_are_kept_unless_another_number_is_asked_for(self):
        waveforms = files_for_tests.random_samples(8, 50, 2)
        pair = (waveforms, np.arange(8) % 2)
        data = arrays.from_arrays(pair, sample_rate=8000)
        self.assertEqual(data.input_spec.shape, (50, 2))
        data = arrays.from_arrays(pair, sample_rate=8000, channels=1)
        self.assertEqual(data.input_spec.shape, (50,))


if __name__ == "__main__":
    absltest.main()
