"""Tests of the rows that the prefix cache keeps on disk."""

import os
import pathlib
import subprocess
import sys
import tempfile

import ml_dtypes
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


class FeatureStoreTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )
        self.path = self.folder / "store"

    def check_holds(self, store, *numbers):
        """The store finds these rows, whole, and no others."""
        found = store.find(digests_of(*range(20)))
        self.assertEqual(np.flatnonzero(found >= 0).tolist(), list(numbers))
        wide, narrow = store.tensors(in_memory=False)
        rows = found[list(numbers)]
        expected = rows_of(*numbers)
        np.testing.assert_array_equal(np.asarray(wide)[rows], expected[0])
        np.testing.assert_array_equal(np.asarray(narrow)[rows], expected[1])

    def test_gives_back_what_it_was_given(self):
        store = write(self.path, [3, 1], [5])
        self.check_holds(store, 1, 3, 5)
        self.check_holds(FeatureStore(self.path, SPECS), 1, 3, 5)

    @parameterized.parameters(
        "float32", "float16", "bfloat16", "int32", "uint8", "int64"
    )
    def test_keeps_every_dtype_to_the_bit(self, dtype):
        values = np.arange(24).reshape(2, 3, 4)
        kind = getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype
        values = values.astype(kind)
        store = FeatureStore(self.path, [RowSpec((3, 4), dtype)])
        with store.writing() as writer:
            writer.add(digests_of(1, 2), [values])
        for in_memory in (True, False):
            [kept] = store.tensors(in_memory=in_memory)
            np.testing.assert_array_equal(np.asarray(kept), values)

    def test_tells_digests_apart_that_begin_alike(self):
        digests = np.zeros([2, 16], np.uint8)
        digests[1, 15] = 1
        store = FeatureStore(self.path, SPECS)
        with store.writing() as writer:
            writer.add(digests[:1], rows_of(1))
        self.assertEqual(store.find(digests).tolist(), [0, -1])

    def test_cuts_off_what_no_line_of_the_journal_vouches_for(self):
        write(self.path, [1, 2])
        # A process wrote on, and was killed before the line.
        for name in ("digests.bin", "tensor-0.bin"):
            with (self.path / name).open("ab") as file:
                file.write(b"half a row")
        store = FeatureStore(self.path, SPECS)
        self.check_holds(store, 1, 2)
        with store.writing() as writer:
            writer.add(digests_of(9), rows_of(9))
        self.check_holds(FeatureStore(self.path, SPECS), 1, 2, 9)

    def test_does_not_take_a_torn_line_for_whole(self):
        write(self.path, [1, 2], [3])
        journal = self.path / "journal.txt"
        journal.write_text(journal.read_text()[:-3])
        store = FeatureStore(self.path, SPECS)
        self.check_holds(store, 1, 2)
        with store.writing() as writer:
            writer.add(digests_of(4), rows_of(4))
        self.check_holds(FeatureStore(self.path, SPECS), 1, 2, 4)

    def test_drops_a_block_with_a_flipped_bit_and_those_behind_it(self):
        write(self.path, [1, 2], [3, 4], [5])
        file = self.path / "tensor-0.bin"
        content = bytearray(file.read_bytes())
        content[3 * 12] ^= 1  # Of the row of 4.
        file.write_bytes(content)
        self.check_holds(FeatureStore(self.path, SPECS), 1, 2)

    def test_drops_a_block_whose_file_is_too_short(self):
        write(self.path, [1, 2], [3])
        file = self.path / "tensor-1.bin"
        file.write_bytes(file.read_bytes()[:-1])
        self.check_holds(FeatureStore(self.path, SPECS), 1, 2)

    def test_keeps_what_was_added_before_an_error(self):
        store = FeatureStore(self.path, SPECS)
        with self.assertRaisesRegex(RuntimeError, "stopped"):
            with store.writing() as writer:
                writer.add(digests_of(1), rows_of(1))
                raise RuntimeError("stopped")
        self.check_holds(FeatureStore(self.path, SPECS), 1)

    def test_stays_whole_when_the_disk_is_full(self):
        write(self.path, [1, 2])
        # A limit on the size of files fails as a full disk does.
        program = (
            "import resource, signal, sys\n"
            "from stores_for_tests import *\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "store = FeatureStore(sys.argv[1], SPECS)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
            "numbers = np.arange(1000) % 250\n"
            "with store.writing() as writer:\n"
            "    writer.add(digests_of(*numbers), rows_of(*numbers))\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program, str(self.path)],
            capture_output=True,
            text=True,
            env=environment(),
        )
        self.assertIn("OSError", ended.stderr)
        self.check_holds(FeatureStore(self.path, SPECS), 1, 2)

    def test_refuses_rows_of_another_form(self):
        store = write(self.path, [1])
        with self.assertRaisesRegex(ValueError, "other rows"):
            FeatureStore(self.path, SPECS[:1])
        with store.writing() as writer:
            with self.assertRaisesRegex(ValueError, "float64"):
                writer.add(digests_of(1), [np.ones([1, 3]), np.ones([1], int)])

    def test_an_empty_store_finds_nothing(self):
        store = FeatureStore(self.path, SPECS)
        self.assertEqual(store.find(digests_of(1, 2)).tolist(), [-1, -1])


class RoomTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def make(self, *names):
        """Stores of equal size, the first used longest ago, none in use."""

        for age, name in enumerate(reversed(names)):
            store = write(self.folder / name, [1, 2, 3])
            store.close()
            time = 1e9 - 1000 * age
            os.utime(self.folder / name / "form.json", (time, time))

    def test_what_was_not_used_for_longest_goes_first(self):
        self.make("a", "b", "c")
        one = feature_store.stores_in(self.folder)[0].num_bytes
        feature_store.make_room(self.folder, 2 * one, but_not=None)
        self.assertEqual(self.names(), ["b", "c"])

    def test_what_is_named_or_in_use_stays(self):
        self.make("a", "b", "c")
        used = FeatureStore(self.folder / "b", SPECS)
        feature_store.make_room(self.folder, 0, but_not=self.folder / "a")
        self.assertEqual(self.names(), ["a", "b"])
        used.close()

    def test_the_listing_tells_what_there_is_and_clears_it(self):
        self.make("a", "b")
        shown = feature_store.listing(self.folder)
        self.assertIn("2 stores", shown)
        self.assertIn("last used 2001-09-0", shown)
        shown = feature_store.listing(self.folder, clear=True)
        self.assertIn("removed", shown)
        self.assertEqual(self.names(), [])

    def test_two_processes_that_write_at_once_lose_nothing(self):
        program = (
            "import sys\n"
            "from stores_for_tests import *\n"
            "first = int(sys.argv[2])\n"
            "store = FeatureStore(sys.argv[1], SPECS)\n"
            "for number in range(first, first + 5):\n"
            "    with store.writing() as writer:\n"
            "        writer.add(digests_of(number), rows_of(number))\n"
        )
        writers = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    program,
                    str(self.folder / "both"),
                    str(first),
                ],
                env=environment(),
            )
            for first in (0, 10)
        ]
        self.assertEqual([writer.wait() for writer in writers], [0, 0])
        store = FeatureStore(self.folder / "both", SPECS)
        found = store.find(digests_of(*range(5), *range(10, 15)))
        self.assertEqual(sorted(found.tolist()), list(range(10)))


if __name__ == "__main__":
    absltest.main()
