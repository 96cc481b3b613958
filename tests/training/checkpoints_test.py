"""Tests of checkpoints on disk, and of the small parts around them."""

import errno
import os
import pathlib
import signal
import subprocess
import sys
import threading
from unittest import mock

import keras
import ml_dtypes
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.training import background
from tl_keras.training import callback_states
from tl_keras.training import checkpoint_files
from tl_keras.training.checkpoint_settings import Checkpoints

CONTENT = {
    "step": 7,
    "rate": 0.1,
    "none": None,
    "text": "é",
    "deep": [{"weights": [np.arange(6.0).reshape(2, 3), np.zeros((0, 3))]}],
    "scalar": np.array(3, "int64"),
    "mask": np.array([True, False]),
    "half": np.array([1.5, -0.0], ml_dtypes.bfloat16),
    "not a number": np.array([np.nan, -0.0], "float32"),
}


class Base(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "kept")
        self.told = []
        self.folder = checkpoint_files.CheckpointFolder(
            self.path, self.told.append
        )

    def names(self):
        return sorted(file.name for file in self.path.iterdir())


class CheckpointFolderTest(Base):
    def test_gives_back_what_was_written_to_the_bit(self):
        self.folder.write(CONTENT)
        read = self.folder.newest()
        leaves, given = keras.tree.flatten(read), keras.tree.flatten(CONTENT)
        for one, other in zip(leaves, given, strict=True):
            if not isinstance(other, np.ndarray):
                self.assertEqual(one, other)
                continue
            self.assertEqual(one.dtype, other.dtype)
            self.assertEqual(one.shape, other.shape)
            self.assertEqual(one.tobytes(), other.tobytes())
        self.assertEqual(self.told, [])

    def test_arrays_that_are_given_back_may_be_changed_one_by_one(self):
        same = np.ones(3)
        self.folder.write({"a": same, "b": same})
        read = self.folder.newest()
        read["a"] += 1.0
        np.testing.assert_array_equal(read["b"], same)

    def test_equal_arrays_take_room_once(self):
        large = np.random.default_rng(0).bytes(10**5)
        arrays = [np.frombuffer(large, np.uint8).copy() for _ in range(5)]
        self.folder.write({"arrays": arrays})
        [file] = self.path.iterdir()
        self.assertBetween(file.stat().st_size, 10**5, 1.1 * 10**5)

    def test_where_there_is_none_there_is_nothing(self):
        self.assertIsNone(self.folder.newest())
        self.assertFalse(self.path.exists())

    def test_the_last_two_are_kept(self):
        for step in range(4):
            self.folder.write({"step": step})
        self.assertEqual(
            self.names(), ["00000003.checkpoint", "00000004.checkpoint"]
        )
        self.assertEqual(self.folder.newest(), {"step": 3})

    def test_a_cut_or_changed_byte_anywhere_is_noticed(self):
        self.folder.write({"step": 1})
        self.folder.write({"step": 2, "weights": np.arange(5.0)})
        file = self.path / "00000002.checkpoint"
        whole = file.read_bytes()
        for place in range(len(whole)):
            changed = bytearray(whole)
            changed[place] ^= 4
            file.write_bytes(changed)
            self.assertEqual(self.folder.newest(), {"step": 1}, place)
            file.write_bytes(whole[:place])
            self.assertEqual(self.folder.newest(), {"step": 1}, place)
        self.assertRegex(self.told[0], "Passing over .*00000002.*damaged")

    def test_a_damaged_one_does_not_take_the_place_of_a_whole_one(self):
        for step in range(2):
            self.folder.write({"step": step})
        (self.path / "00000002.checkpoint").write_bytes(b"")
        self.folder.newest()
        self.folder.write({"step": 9})
        self.assertEqual(
            self.names(), ["00000001.checkpoint", "00000003.checkpoint"]
        )

    @parameterized.parameters("open", "fsync", "replace")
    def test_a_full_disk_leaves_those_before(self, call):
        self.folder.write({"step": 1})
        full = OSError(errno.ENOSPC, "No space left on device")
        where = pathlib.Path if call == "open" else os
        with mock.patch.object(where, call, side_effect=full):
            with self.assertRaisesRegex(OSError, "No space.*make room") as it:
                self.folder.write({"step": 2})
        self.assertEqual(it.exception.errno, errno.ENOSPC)
        self.assertEqual(self.names(), ["00000001.checkpoint"])
        self.assertEqual(self.folder.newest(), {"step": 1})

    def test_what_a_killed_process_was_writing_is_removed(self):
        self.path.mkdir()
        (self.path / "00000001.part").write_bytes(b"half")
        self.assertIsNone(self.folder.newest())
        self.folder.write({"step": 1})
        self.assertEqual(self.names(), ["00000001.checkpoint"])

    def test_what_it_cannot_hold_is_named(self):
        with self.assertRaisesRegex(TypeError, r"content\['a'\]\[1\]"):
            self.folder.write({"a": [1, {2}]})
        with self.assertRaisesRegex(TypeError, "texts as keys. Got: 3"):
            self.folder.write({"a": {3: 4}})


class FullDiskTest(Base):
    """A disk that is full in earnest, where a small one can be mounted."""

    def setUp(self):
        super().setUp()
        self.path.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(self.path)],
            capture_output=True,
        )
        if mounted.returncode:
            self.skipTest("No file system can be mounted here.")
        self.addCleanup(subprocess.run, ["umount", str(self.path)], check=True)

    def test_leaves_those_before(self):
        self.folder.write({"a": np.zeros(300_000, "uint8")})
        draw = np.random.default_rng(0)
        with self.assertRaisesRegex(OSError, "make room"):
            self.folder.write({"a": np.frombuffer(draw.bytes(900_000), "u1")})
        self.assertEqual(self.names(), ["00000001.checkpoint"])
        self.assertEqual(self.folder.newest()["a"].sum(), 0)


class CheckpointsTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"seconds": -1.0}, "checkpoints.seconds"),
        ({"steps": 0}, "checkpoints.steps"),
        ({"steps": 1.5}, "checkpoints.steps"),
        ({"keep": "yes"}, "checkpoints.keep"),
        ({"write": None}, "checkpoints.write"),
    )
    def test_refuses(self, fields, message):
        with self.assertRaisesRegex((TypeError, ValueError), message):
            Checkpoints(**fields)


class BackgroundTest(absltest.TestCase):
    def test_training_goes_on_meanwhile(self):
        may_end, work = threading.Event(), background.Background()
        work.start(may_end.wait)
        self.assertTrue(work.is_busy)
        may_end.set()
        work.join()
        self.assertFalse(work.is_busy)

    def test_an_error_reaches_whoever_comes_next_once(self):
        for call in ("start", "join", "check"):
            work = background.Background()
            work.start(lambda: 1 / 0)
            while work.is_busy:
                pass
            arguments = [print] if call == "start" else []
            with self.assertRaises(ZeroDivisionError):
                getattr(work, call)(*arguments)
            work.join()


class CallbackStatesTest(absltest.TestCase):
    def test_states_go_to_callbacks_of_their_class_in_order(self):
        waits = [keras.callbacks.EarlyStopping() for _ in range(2)]
        waits[0].wait, waits[1].wait = 3, 5
        plateau = keras.callbacks.ReduceLROnPlateau()
        plateau.cooldown_counter = 2
        kept = callback_states.get([waits[0], plateau, waits[1]])
        fresh = [keras.callbacks.EarlyStopping() for _ in range(2)]
        slower = keras.callbacks.ReduceLROnPlateau()
        callback_states.put([keras.callbacks.History(), *fresh, slower], kept)
        self.assertEqual([one.wait for one in fresh], [3, 5])
        self.assertEqual(slower.cooldown_counter, 2)

    def test_what_changes_later_is_not_in_the_state(self):
        class Lists(keras.callbacks.Callback):
            seen = []

            def get_state(self):
                return {"seen": self.seen}

        lists = Lists()
        [[name, state]] = callback_states.get([lists])
        lists.seen.append(1)
        self.assertEqual((name, state), ("Lists", {"seen": []}))


class TerminatedProgramTest(absltest.TestCase):
    def test_a_signal_that_came_too_late_is_for_who_waited_before(self):
        program = (
            "import os, signal\n"
            "from tl_keras.training import termination\n"
            "with termination.Termination() as it:\n"
            "    it.waits = True\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\n"
            "    print('goes on', flush=True)\n"
            "print('never', flush=True)\n"
        )
        shown = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True
        )
        self.assertEqual(shown.stdout, "goes on\n")
        self.assertEqual(shown.returncode, -signal.SIGTERM)


if __name__ == "__main__":
    absltest.main()
