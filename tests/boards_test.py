"""Tests of boards."""

import importlib.util
import pathlib
import unittest
from unittest import mock

import tensorflow as tf
from absl.testing import absltest

from tl_keras import boards


class EpochScalarsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    @unittest.skipUnless(
        importlib.util.find_spec("tensorboard"), "needs tensorboard"
    )
    def test_steps_go_on_from_one_phase_to_the_next(self):
        scalars = boards.EpochScalars(self.folder)
        # Two phases of two epochs: Keras counts from 0 in each.
        for epochs in ((0, 1), (0, 1)):
            scalars.on_train_begin()
            for epoch in epochs:
                scalars.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25})
        for part, value in (("train", 0.5), ("validation", 0.25)):
            [file] = (self.folder / part).iterdir()
            events = [
                (event.step, v.tag, float(tf.make_ndarray(v.tensor)))
                for event in tf.compat.v1.train.summary_iterator(str(file))
                for v in event.summary.value
            ]
            expected = [(n, "epoch/loss", value) for n in (1, 2, 3, 4)]
            self.assertEqual(events, expected)

    def test_a_missing_package_gets_the_command_that_installs_it(self):
        with mock.patch.dict("sys.modules", {"tensorboard": None}):
            with self.assertRaisesRegex(ImportError, r"tl_keras\[tensorboard"):
                boards.EpochScalars(self.folder)


if __name__ == "__main__":
    absltest.main()
