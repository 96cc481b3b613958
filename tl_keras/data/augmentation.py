"""What to change in training images, as a value; the operations come later."""

import dataclasses

from tl_keras import checks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes to training images that leave their labels true.

    Give it to `Data.train_epochs` or to a phase of a plan. Every change is a
    function of the seed, the epoch and the example's index, so that equal
    seeds give equal images. The changes are made in the order of the fields.

    Attributes:
        flip: Whether to mirror every second image (left to right), by chance.
        crop: Largest share of an image's area that a random crop leaves out,
            in [0, 1). The crop keeps between `1 - crop` and 1 of the area, at
            an aspect ratio between 3/4 and 4/3, anywhere in the image, and is
            enlarged to the image's size again. 0 keeps images whole.
        rand_augment_layers: How many of RandAugment's 14 operations are
            applied to each image, one after another, at least 0.
        rand_augment_magnitude: How strong they are, in [0, 10].
        mixup: `alpha` of MixUp's Beta(alpha, alpha) distribution, at least 0.
            An image is blended with the next one of its batch, and their
            labels likewise. 0 is off; 0.2 is usual.
        cutmix: `alpha` of CutMix' Beta(alpha, alpha) distribution, at least
            0. A rectangle of the next image of the batch is pasted in, and
            the labels are mixed by area. 0 is off; 1.0 is usual. With both
            `mixup` and `cutmix`, each image gets one of them, by chance.
        mix_features: Whether MixUp blends not images but what the model's
            frozen beginning gives for them (manifold mixup), which can be
            kept from epoch to epoch: for phases with a prefix cache.

    Raises:
        TypeError: If a field has the wrong type.
        ValueError: If a field is out of its range.

    Example:
        >>> import tl_keras
        >>> augmentation = tl_keras.data.Augmentation(flip=True, mixup=0.2)
        >>> augmentation.mixes_labels
        True

    Reference:
        Cubuk et al., "RandAugment: Practical automated data augmentation
        with a reduced search space", 2020, https://arxiv.org/abs/1909.13719;
        Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018,
        https://arxiv.org/abs/1710.09412; Yun et al., "CutMix", 2019,
        https://arxiv.org/abs/1905.04899; crops as in Szegedy et al., "Going
        deeper with convolutions", 2015, https://arxiv.org/abs/1409.4842;
        Verma et al., "Manifold Mixup", 2019,
        https://arxiv.org/abs/1806.05236
    """

    flip: bool = False
    crop: float = 0.0
    rand_augment_layers: int = 0
    rand_augment_magnitude: float = 9.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_features: bool = False

    def __post_init__(self):
        checks.instance(self.flip, bool, name="augmentation.flip")
        checks.share(self.crop, name="augmentation.crop")
        checks.integer(
            self.rand_augment_layers, name="augmentation.rand_augment_layers"
        )
        checks.in_range(
            self.rand_augment_magnitude,
            name="augmentation.rand_augment_magnitude",
            low=0.0,
            high=10.0,
        )
        checks.in_range(self.mixup, name="augmentation.mixup", low=0.0)
        checks.in_range(self.cutmix, name="augmentation.cutmix", low=0.0)
        checks.instance(
            self.mix_features, bool, name="augmentation.mix_features"
        )
        if self.mix_features and (self.cutmix or not self.mixup):
            raise ValueError(
                "`augmentation.mix_features` blends features by MixUp. Got: "
                f"mixup={self.mixup}, cutmix={self.cutmix}. Expected `mixup` "
                "above 0 and no `cutmix`, which pastes parts of images."
            )

    @property
    def mixes_labels(self) -> bool:
        """Whether labels become rows of probabilities (MixUp or CutMix)."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def of_one(self) -> "Augmentation":
        """What of it changes an image by itself."""
        return dataclasses.replace(
            self, mixup=0.0, cutmix=0.0, mix_features=False
        )

    @property
    def of_two(self) -> "Augmentation":
        """What of it mixes an image with another one."""
        return Augmentation(
            mixup=self.mixup,
            cutmix=self.cutmix,
            mix_features=self.mix_features,
        )
