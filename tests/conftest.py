"""What every test needs."""

import os

from absl import flags

# `absltest.TestCase.create_tempdir` reads a flag, and pytest parses none.
flags.FLAGS.mark_as_parsed()

# TensorFlow's start-up notes would bury a failure.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
