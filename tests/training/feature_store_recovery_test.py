"""Tests of the rows on disk that a killed or a second process leaves."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
from unittest import mock

import ml_dtypes  # noqa: F401
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized
from stores_for_tests import SPECS
from stores_for_tests import digests_of
from stores_for_tests import environment
from stores_for_tests import rows_of
from stores_for_tests import write

from tl_keras.training import feature_store
from tl_keras.training.feature_store import FeatureStore
from tl_keras.training.feature_store import RowSpec

FILES = ("digests.bin", "tensor-0.bin", "tensor-1.bin")

HEADER = """
import sys, time
from stores_for_tests import *
def add(writer, *numbers):
    writer.add(digests_of(*numbers), rows_of(*numbers))
store = FeatureStore(sys.argv[1], SPECS)
"""


class Base(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )
        self.path = self.folder / "store"

    def start(self, program):
        """Another process with `store`."""
        process = subprocess.Popen(
            [sys.executable, "-c", HEADER + program, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def check_holds(self, store, *numbers):
        """The store finds these rows, whole, and no others."""
        found = store.find(digests_of(*range(20)))
        self.assertEqual(np.flatnonzero(found >= 0).tolist(), sorted(numbers))
        self.assertLen(store, len(numbers))
        if not numbers:
            return
        rows = store.find(digests_of(*numbers))
        for in_memory in (False, True):
            kept = store.tensors(in_memory=in_memory)
            for got, want in zip(kept, rows_of(*numbers), strict=True):
                np.testing.assert_array_equal(np.asarray(got)[rows], want)

    def check_goes_on(self, *numbers):
        """The store holds these rows, also after others were added."""
        store = FeatureStore(self.path, SPECS)
        self.check_holds(store, *numbers)
        with store.writing() as writer:
            writer.add(digests_of(17, 18), rows_of(17, 18))
        self.check_holds(store, *numbers, 17, 18)
        self.check_holds(FeatureStore(self.path, SPECS), *numbers, 17, 18)


class RowsTest(Base):
    @parameterized.product(
        dtype=["float32", "float16", "bfloat16", "int32", "int64", "uint8"],
        shape=[(), (5,), (4, 4, 3)],
    )
    def test_come_back_to_the_bit(self, dtype, shape):
        # All bit patterns, those of NaN and of -0 too.
        size = 6 * np.prod(shape, dtype=int) * np.dtype(dtype).itemsize
        content = np.random.default_rng(0).integers(0, 256, size, "uint8")
        values = content.view(dtype).reshape(6, *shape)
        store = FeatureStore(self.path, [RowSpec(shape, dtype)])
        with store.writing() as writer:
            writer.add(digests_of(*range(6)), [values])
        for reopened in (store, FeatureStore(self.path, store.specs)):
            for in_memory in (False, True):
                [kept] = reopened.tensors(in_memory=in_memory)
                self.assertEqual(kept.dtype.name, dtype)
                self.assertEqual(kept.shape, values.shape)
                self.assertEqual(np.asarray(kept).tobytes(), values.tobytes())

    def test_booleans_come_back(self):
        values = np.array([[True, False], [False, True]])
        store = FeatureStore(self.path, [RowSpec((2,), "bool")])
        with store.writing() as writer:
            writer.add(digests_of(1, 2), [values])
        for in_memory in (False, True):
            [kept] = store.tensors(in_memory=in_memory)
            self.assertEqual(kept.dtype.name, "bool")
            np.testing.assert_array_equal(kept, values)

    def test_may_be_a_part_of_a_larger_array(self):
        values = np.arange(40, dtype="float32").reshape(5, 8)[::2, ::4]
        store = FeatureStore(self.path, [RowSpec((2,), "float32")])
        with store.writing() as writer:
            writer.add(digests_of(1, 2, 3), [values])
        np.testing.assert_array_equal(store.tensors(in_memory=True)[0], values)

    def test_of_an_earlier_tensor_stay_when_others_are_added(self):
        store = write(self.path, [1, 2])
        before = store.tensors(in_memory=False)
        write(self.path, range(3, 17))
        np.testing.assert_array_equal(before[0], rows_of(1, 2)[0])
        self.check_holds(store, 1, 2)

    def test_none_added_is_no_block(self):
        store = write(self.path, [1])
        size = (self.path / "journal.txt").stat().st_size
        with store.writing() as writer:
            writer.add(digests_of()[:0], [row[:0] for row in rows_of(1)])
        self.assertEqual((self.path / "journal.txt").stat().st_size, size)
        self.check_goes_on(1)

    def test_take_what_their_spec_says(self):
        store = write(self.path, [1, 2, 3])
        # A digest, three numbers of four bytes and one of eight.
        self.assertEqual(store.bytes_per_row, 16 + 12 + 8)
        self.assertEqual(store.num_bytes, 3 * store.bytes_per_row)
        sizes = [(self.path / name).stat().st_size for name in FILES]
        self.assertEqual(sum(sizes), store.num_bytes)

    def test_of_an_empty_store_cannot_be_read(self):
        with self.assertRaisesRegex(ValueError, "no rows"):
            FeatureStore(self.path, SPECS).tensors(in_memory=True)


class FindTest(Base):
    def test_says_of_each_digest_where_it_is_or_that_it_is_nowhere(self):
        store = write(self.path, [3, 1], [5])
        found = store.find(digests_of(5, 9, 1, 1, 3, 0))
        self.assertEqual(found.tolist(), [2, -1, 1, 1, 0, -1])

    def test_of_no_digests_is_empty(self):
        empty = digests_of()[:0]
        self.assertEqual(write(self.path, [1]).find(empty).shape, (0,))

    def test_looks_at_every_byte(self):
        store = write(self.path, [1])
        for byte in range(16):
            other = digests_of(1)
            other[0, byte] ^= 1
            self.assertEqual(store.find(other).tolist(), [-1], byte)

    def test_finds_what_is_there_twice(self):
        store = write(self.path, [1, 2], [2, 1])
        rows = store.find(digests_of(2, 1))
        kept = store.tensors(in_memory=True)[1].numpy()
        self.assertEqual(kept[rows].tolist(), [2, 1])

    def test_is_like_a_dict_for_many(self):
        rng = np.random.default_rng(0)
        digests = rng.integers(0, 256, (500, 16), "uint8")
        store = FeatureStore(self.path, [RowSpec((), "int32")])
        with store.writing() as writer:
            writer.add(digests[:300], [np.arange(300, dtype="int32")])
        place = {one.tobytes(): row for row, one in enumerate(digests[:300])}
        asked = digests[rng.permutation(500)]
        expected = [place.get(one.tobytes(), -1) for one in asked]
        self.assertEqual(store.find(asked).tolist(), expected)


class KilledTest(Base):
    def test_a_killed_process_leaves_what_it_had_vouched_for(self):
        process = self.start(
            "from tl_keras.training import feature_store\n"
            "feature_store._SECONDS_BETWEEN_BLOCKS = -1\n"
            "with store.writing() as writer:\n"
            "    add(writer, 1, 2)\n"
            "    add(writer, 3)\n"
            "    feature_store._SECONDS_BETWEEN_BLOCKS = 1e9\n"
            "    add(writer, 4)\n"
            "    for file in writer._files: file.flush()\n"
            "    print('there', flush=True)\n"
            "    time.sleep(60)\n"
        )
        self.assertEqual(process.stdout.readline(), "there\n")
        process.kill()
        process.wait()
        self.check_goes_on(1, 2, 3)

    @parameterized.parameters(*FILES)
    def test_garbage_behind_the_rows_is_cut_off(self, name):
        write(self.path, [1, 2], [3])
        with (self.path / name).open("ab") as file:
            file.write(b"\xff" * 1001)
        self.check_goes_on(1, 2, 3)

    @parameterized.product(name=FILES, cut=[1, 4])
    def test_a_file_that_is_too_short_ends_before_its_block(self, name, cut):
        write(self.path, [1, 2], [3])
        file = self.path / name
        file.write_bytes(file.read_bytes()[:-cut])
        self.check_goes_on(1, 2)

    @parameterized.parameters(*FILES)
    def test_a_file_that_is_gone_leaves_nothing(self, name):
        write(self.path, [1, 2], [3])
        (self.path / name).unlink()
        self.check_goes_on()

    @parameterized.parameters(*FILES)
    def test_a_flipped_bit_ends_before_its_block(self, name):
        write(self.path, [1, 2], [3, 4, 5], [6])
        file = self.path / name
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 64  # Of row 3 of 6: the second block.
        file.write_bytes(content)
        self.check_goes_on(1, 2)

    @parameterized.parameters(1, 2, 5, 20)
    def test_a_torn_last_line_is_not_vouched_for(self, cut):
        write(self.path, [1, 2], [3])
        journal = self.path / "journal.txt"
        journal.write_text(journal.read_text()[:-cut])
        self.check_goes_on(1, 2)

    @parameterized.parameters("7 1 2 3 4\n", "\n", "x y\n", "\0\0\0\0", "7 1 2")
    def test_nonsense_at_the_end_of_the_journal_is_cut_off(self, tail):
        write(self.path, [1, 2], [3])
        with (self.path / "journal.txt").open("a") as file:
            file.write(tail)
        self.check_goes_on(1, 2, 3)

    def test_without_its_journal_it_is_empty(self):
        write(self.path, [1, 2], [3])
        (self.path / "journal.txt").unlink()
        self.check_goes_on()

    @parameterized.parameters("", "{")
    def test_a_form_that_was_not_written_through_is_written_anew(self, text):
        self.path.mkdir()
        (self.path / "form.json").write_text(text)
        self.check_goes_on()


class FormTest(Base):
    @parameterized.parameters(
        (SPECS[:1],),
        (SPECS[::-1],),
        ((RowSpec((4,), "float32"), SPECS[1]),),
        ((RowSpec((3,), "float16"), SPECS[1]),),
    )
    def test_a_store_of_other_rows_is_refused(self, specs):
        write(self.path, [1])
        with self.assertRaisesRegex(ValueError, "other rows.*Remove the"):
            FeatureStore(self.path, specs)
        self.check_goes_on(1)

    @parameterized.parameters(
        ([np.ones([1, 3], "float64"), np.ones([1], "int64")], "float64"),
        ([np.ones([1, 4], "float32"), np.ones([1], "int64")], r"\(4,\)"),
        ([np.ones([1, 3], "float32"), np.ones([1, 1], "int64")], r"\(1,\)"),
    )
    def test_rows_of_another_form_are_refused_and_none_is_added(
        self, rows, told
    ):
        store = write(self.path, [1])
        with store.writing() as writer:
            writer.add(digests_of(2), rows_of(2))
            with self.assertRaisesRegex(ValueError, told):
                writer.add(digests_of(3), rows)
        self.check_goes_on(1, 2)

    def test_a_path_that_is_a_file_is_an_os_error(self):
        self.path.write_text("")
        with self.assertRaises(OSError):
            FeatureStore(self.path, SPECS)


class FullDiskTest(Base):
    def test_nothing_that_was_vouched_for_is_lost(self):
        process = self.start(
            "import resource, signal\n"
            "from tl_keras.training import feature_store\n"
            "feature_store._SECONDS_BETWEEN_BLOCKS = -1\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
            "try:\n"
            "    with store.writing() as writer:\n"
            "        for number in range(1, 17):\n"
            "            add(writer, number)\n"
            "        add(writer, *[19] * 1000)\n"
            "except OSError:\n"
            "    print('full')\n"
        )
        self.assertEqual(process.communicate()[0], "full\n")
        self.check_goes_on(*range(1, 17))

    def test_the_store_in_memory_is_what_the_disk_holds(self):
        store = write(self.path, [1, 2])
        with self.assertRaisesRegex(OSError, "full"):
            with store.writing() as writer:
                with mock.patch.object(
                    os, "fsync", side_effect=OSError(28, "full")
                ):
                    writer.add(digests_of(3), rows_of(3))
                    writer._end_block()
        self.check_holds(FeatureStore(self.path, SPECS), *store_numbers(store))


def store_numbers(store):
    return np.flatnonzero(store.find(digests_of(*range(20))) >= 0).tolist()


class ProcessesTest(Base):
    def test_rows_of_another_process_are_there_when_opened_again(self):
        store = write(self.path, [1])
        process = self.start("with store.writing() as w: add(w, 2, 3)\n")
        self.assertEqual(process.wait(), 0)
        self.check_holds(store, 1)
        self.check_holds(FeatureStore(self.path, SPECS), 1, 2, 3)

    def test_a_writer_goes_on_behind_the_rows_of_another_process(self):
        store = write(self.path, [1])
        process = self.start("with store.writing() as w: add(w, 2, 3)\n")
        self.assertEqual(process.wait(), 0)
        with store.writing() as writer:
            writer.add(digests_of(4), rows_of(4))
        self.check_holds(store, 1, 2, 3, 4)

    def test_a_reader_need_not_wait_for_a_writer(self):
        write(self.path, [1, 2])
        process = self.start(
            "with store.writing() as writer:\n"
            "    add(writer, 3)\n"
            "    for file in writer._files: file.flush()\n"
            "    print('there', flush=True)\n"
            "    sys.stdin.readline()\n"
        )
        self.assertEqual(process.stdout.readline(), "there\n")
        self.check_holds(FeatureStore(self.path, SPECS), 1, 2)
        process.communicate("\n")
        self.check_holds(FeatureStore(self.path, SPECS), 1, 2, 3)

    def test_a_writer_waits_for_another_and_loses_nothing(self):
        programs = [
            f"for number in range({first}, {first} + 8):\n"
            "    with store.writing() as writer:\n"
            "        add(writer, number)\n"
            "        time.sleep(0.002)\n"
            for first in (0, 8)
        ]
        processes = [self.start(program) for program in programs]
        for process in processes:
            process.communicate()
            self.assertEqual(process.returncode, 0)
        self.check_goes_on(*range(16))


class RoomTest(Base):
    def make(self, *names):
        """Stores of equal size, the first used longest ago, none in use."""
        for number, name in enumerate(names):
            write(self.folder / name, [1, 2, 3]).close()
            then = 1e9 + 1000 * number
            os.utime(self.folder / name / "form.json", (then, then))
        return [one.num_bytes for one in feature_store.stores_in(self.folder)]

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def make_room(self, limit, but_not=None):
        feature_store.make_room(self.folder, limit, but_not=but_not)

    def test_nothing_goes_where_there_is_room(self):
        sizes = self.make("a", "b")
        self.make_room(sum(sizes))
        self.assertEqual(self.names(), ["a", "b"])

    def test_no_more_goes_than_has_to(self):
        sizes = self.make("c", "a", "b")
        self.make_room(sum(sizes) - 1)
        self.assertEqual(self.names(), ["a", "b"])

    def test_to_open_a_store_is_to_use_it(self):
        sizes = self.make("a", "b")
        FeatureStore(self.folder / "a", SPECS).close()
        self.make_room(sizes[0])
        self.assertEqual(self.names(), ["a"])

    def test_what_another_process_uses_stays(self):
        self.make("a", "store", "b")
        process = self.start("print(1, flush=True); sys.stdin.readline()\n")
        process.stdout.readline()
        self.make_room(0)
        self.assertEqual(self.names(), ["store"])
        [info] = feature_store.stores_in(self.folder)
        self.assertFalse(feature_store.remove(info))
        process.kill()
        process.wait()
        self.make_room(0)
        self.assertEqual(self.names(), [])

    def test_a_killed_process_uses_nothing(self):
        process = self.start("print(1, flush=True); time.sleep(60)\n")
        process.stdout.readline()
        process.kill()
        process.wait()
        self.make_room(0)
        self.assertEqual(self.names(), [])

    def test_the_one_that_is_named_stays_though_it_is_too_large(self):
        self.make("a", "b")
        self.make_room(0, but_not=self.folder / "a")
        self.assertEqual(self.names(), ["a"])

    def test_other_folders_and_files_stay(self):
        self.make("a")
        (self.folder / "other").mkdir()
        (self.folder / "file").write_text("")
        self.make_room(0)
        self.assertEqual(self.names(), ["file", "other"])

    def test_a_removed_store_can_be_made_anew(self):
        write(self.path, [1]).close()
        self.make_room(0)
        self.check_goes_on()

    def test_the_listing_has_a_line_for_each_store(self):
        store = FeatureStore(self.path, SPECS, "model: layer (3,)")
        with store.writing() as writer:
            writer.add(digests_of(1), rows_of(1))
        store.close()
        then = time.mktime((2001, 2, 3, 4, 5, 0, 0, 0, -1))
        os.utime(self.path / "form.json", (then, then))
        one, all_ = feature_store.listing(self.folder).splitlines()
        self.assertEqual(
            one.strip(), "0.0 MB, last used 2001-02-03 04:05: model: layer (3,)"
        )
        self.assertEqual(all_, f"1 stores, 0.0 MB in all: {self.folder}")

    def test_clearing_says_which_are_in_use(self):
        self.make("a", "b")
        used = FeatureStore(self.folder / "b", SPECS)
        first, second, _ = feature_store.listing(
            self.folder, clear=True
        ).splitlines()
        self.assertIn(", removed:", first)
        self.assertIn(", in use and left:", second)
        self.assertEqual(self.names(), ["b"])
        used.close()

    def test_a_folder_that_is_not_there_has_no_stores(self):
        self.assertEqual(feature_store.stores_in(self.folder / "none"), [])
        self.make_room(0)


if __name__ == "__main__":
    absltest.main()
