"""Shows versions, devices, and what can be loaded here without a network.

tl-keras doctor --data_dir=DIR
"""

from absl import flags

from tl_keras.cli import common

flags.declare_key_flag("data_dir")
flags.declare_key_flag("debug")


def main(argv):
    """Prints one page."""
    common.no_arguments(argv)
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import doctor

    print(doctor.report(common.DATA_DIR.value))
