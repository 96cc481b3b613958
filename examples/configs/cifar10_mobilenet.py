"""MobileNetV2 (alpha 0.35) from ImageNet to CIFAR-10 at 96 px.

    tl-keras finetune --config=examples/configs/cifar10_mobilenet.py \\
        --workdir=runs/cifar10

All images; on two CPU cores `--set=data.train_examples=10000` is quicker.
"""

from tl_keras import configs
from tl_keras.data.augmentation import Augmentation


def get_config():
    return configs.RunConfig(
        data=configs.DataConfig(name="cifar10", image_size=96, batch_size=64),
        encoder=configs.EncoderConfig(
            name="MobileNetV2", options={"alpha": 0.35}
        ),
        plan=configs.PlanConfig(
            name="head_then_top",
            options={
                "head_epochs": 3,
                "top_epochs": 8,
                "top_learning_rate": 2e-3,
            },
        ),
        augmentation=Augmentation(flip=True),
    )
