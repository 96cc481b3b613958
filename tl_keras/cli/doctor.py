"""Shows versions, devices, and what can be loaded here without a network.

    tl-keras doctor --data_dir=DIR

With --check_tpu it tells whether a TPU could run the training steps of a plan,
and names the operations and layers that stand in the way; no TPU is needed.
The plan, the encoder and the data are given as to finetune. It ends with 1
where something is in the way.

    tl-keras doctor --check_tpu --dataset=digits --encoder=MobileNetV2 \\
        --plan=full
"""

import sys

from absl import app
from absl import flags

from tl_keras.cli import common
from tl_keras.cli import config_flags

flags.adopt_module_key_flags(config_flags)
for _name in ("dataset", "data_dir", "trust_modules", "debug"):
    flags.declare_key_flag(_name)

CHECK_TPU = flags.DEFINE_bool(
    "check_tpu", False, "Tell whether a TPU could run a plan."
)


def main(argv):
    """Prints one page."""
    common.no_arguments(argv)
    if CHECK_TPU.value:
        _check_tpu(config_flags.config())
        return
    given = config_flags.given()
    if given:
        raise app.UsageError(
            f"Without --check_tpu, doctor looks at no config. Got: {given}. "
            "Add --check_tpu, or leave them out."
        )
    # TensorFlow takes seconds to import, and a wrong flag needs none of it.
    from tl_keras import doctor

    print(doctor.report(common.DATA_DIR.value))


def _check_tpu(config):
    from tl_keras import runs

    found = runs.check_tpu(config)
    print(found)
    if not found.passes:
        sys.exit(1)
