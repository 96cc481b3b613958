"""Everything trains from the start, on handwritten digits; no network needed.

    tl-keras finetune --config=examples/configs/digits_full.py \\
        --workdir=runs/digits_full
"""

from tl_keras import configs


def get_config():
    return configs.RunConfig(
        data=configs.DataConfig(name="digits"),
        encoder=configs.EncoderConfig(name="tiny"),
        plan=configs.PlanConfig(name="full", options={"epochs": 5}),
    )
