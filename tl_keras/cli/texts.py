"""The flag for texts on the command line, which two commands share."""

from absl import flags

TEXT = flags.DEFINE_multi_string("text", [], "A text; may be given repeatedly.")
