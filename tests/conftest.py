"""What every test needs."""

import os
import pathlib
import sys
import tempfile

from absl import flags

# Lets every test import `modules_for_tests`, however pytest runs.
sys.path.append(str(pathlib.Path(__file__).parent))

# `absltest.TestCase.create_tempdir` reads a flag, and pytest parses none.
flags.FLAGS.mark_as_parsed()

# TensorFlow's start-up notes would bury a failure.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# No test reads what an earlier one left, nor fills the user's own folder.
_CACHE = tempfile.TemporaryDirectory()
os.environ["TL_KERAS_CACHE"] = _CACHE.name
