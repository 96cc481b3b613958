"""A phase: epochs with one choice of what trains, how fast and on what."""

import collections.abc
import dataclasses
import math
import re

from tl_keras import checks
from tl_keras.data import augmentation as augmentations
from tl_keras.tuning import pruning_settings

SCHEDULES = ("cosine", "constant")
BATCH_NORM_MODES = ("train", "inference")
_LAST = re.compile(r"last (\d+(?:\.\d+)?)(%?)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """One part of a plan.

    Attributes:
        name: Shown in progress, logs and results.
        train: Which layer groups train; the rest is frozen:
            `"all"`; `"head"`; the name of a group, which trains with every
            group after it; `"last 2"`, the last two groups of the encoder
            and the head; `"last 50%"`, that share of the encoder's groups
            (rounded up) and the head; or a tuple of group names, which
            train and no others.
        epochs: Passes over the training data.
        steps: Optimizer steps, in place of `epochs` when given.
        learning_rate: Peak learning rate of the head.
        encoder_rate_factor: The last encoder group's rate as a share of the
            head's, at least 0.
        depth_decay: Factor on the rate for each group further away from the
            head, in (0, 1].
        rate_factors: Group name to a further factor on its rate.
        optimizer: `"adamw"`, `"adam"`, `"sgd"` (momentum 0.9) or another of
            Keras' names; or a `keras.optimizers.Optimizer`, of which the
            kind and its settings are taken but for learning rate, weight
            decay and clipping, which are said here.
        optimizer_options: Further arguments of the optimizer by name.
        weight_decay: Share of each weight taken off a step, times the
            learning rate; not on biases nor normalisation.
        clip_norm: Largest norm of all gradients together, or None.
        micro_batches: In how many parts each batch is computed, one after
            another, whose gradients are added up (gradient accumulation); of
            each replica, its part of the batch. Memory is that of one part;
            steps, rates and batch size are as without. The optimizer sees
            the gradient of the whole batch, but for BatchNormalization in
            training mode, which normalises by a part, and Dropout, which
            draws for each part. The loss has to be a mean over examples.
        weights_average: None, or the share that an exponential moving average
            of the weights that train keeps at each step, in (0, 1), e.g.
            0.999; in the first steps it is smaller:
            `min(weights_average, (1 + step) / (10 + step))`. Validation and
            callbacks at the end of an epoch see the averages, the best of
            them are kept, and the phase ends with them; training goes on
            from the weights themselves. Statistics of BatchNormalization are
            estimated for the averages. With `lora_rank`, the adapters are
            averaged.
        warmup_epochs: Epochs, or a part of one, in which the rate rises
            from 0 to its peak.
        schedule: `"cosine"` falls to 0 at the end of the phase;
            `"constant"` stays at the peak.
        augmentation: What is done to training images.
        cache_views: After how many epochs the augmented images come again, so
            that what the frozen part of the model makes of them can be kept;
            None for never. Without augmentation there is one view of each
            image, with a flip alone there are two, whatever this says.
        label_smoothing: Share of each label spread evenly over all classes,
            in [0, 1).
        patience: Epochs without a better validation score after which the
            phase ends early, or None.
        starting_point_strength: Strength of the pull of the encoder's
            weights towards the values `fit` found (L2-SP), at least 0.
        batch_norm: What BatchNormalization does in groups that train.
            `"train"`: it normalises by the batch, its gamma and beta train,
            and before each validation (without one, at the end of each
            epoch) its statistics are estimated anew on training batches; in
            between they stand still. `"inference"`: it is frozen in every
            respect. A TF Hub module is one call with one mode: where not all
            of its parts train, or with `"inference"`, it runs in inference
            mode, and the weights of what trains move all the same.
        lora_rank: None trains weights themselves. With a number, the
            encoder's kernels move by low-rank adapters (LoRA) of that rank:
            products of two thin matrices, which alone train beside the head.
            All else of the encoder rests: biases, scales, and kernels with a
            constraint or with no more entries than their adapter would have;
            BatchNormalization and TF Hub modules run in inference mode. The
            kernels hold the sum at every step, so that the model is always an
            ordinary one. Rates and weight decay are the adapters'.
        lora_alpha: The products are scaled by `lora_alpha / lora_rank`; None
            is the rank.
        pruning: None, or a `Pruning`: the share of the smallest weights that
            is set to zero in the course of the phase, for good. A number is
            its `sparsity`, a dict its fields. Of the groups that train,
            kernels are pruned but for depthwise ones and tables of
            embeddings; what is frozen stays as it is. In later phases of the
            plan these zeros stay zero.

    Example:
        >>> Phase(name="head", train="head", epochs=5).learning_rate
        0.001
    """

    name: str
    train: str | tuple[str, ...] = "all"
    epochs: int = 1
    steps: int | None = None
    learning_rate: float = 1e-3
    encoder_rate_factor: float = 1.0
    depth_decay: float = 1.0
    rate_factors: collections.abc.Mapping[str, float] = dataclasses.field(
        default_factory=dict
    )
    optimizer: object = "adamw"
    optimizer_options: collections.abc.Mapping[str, object] = dataclasses.field(
        default_factory=dict
    )
    weight_decay: float = 1e-4
    clip_norm: float | None = 1.0
    micro_batches: int = 1
    weights_average: float | None = None
    warmup_epochs: float = 0.0
    schedule: str = "cosine"
    augmentation: augmentations.Augmentation = dataclasses.field(
        default_factory=augmentations.Augmentation
    )
    cache_views: int | None = None
    label_smoothing: float = 0.0
    patience: int | None = None
    starting_point_strength: float = 0.0
    batch_norm: str = "train"
    lora_rank: int | None = None
    lora_alpha: float | None = None
    pruning: pruning_settings.Pruning | None = None

    def __post_init__(self):
        checks.instance(self.name, str, name="phase.name")
        if isinstance(self.train, list):
            object.__setattr__(self, "train", tuple(self.train))
        checks.instance(self.train, (str, tuple), name="phase.train")
        if self.train in ("", ()):
            raise ValueError(
                "`phase.train` is empty. Expected 'all', 'head', the name of "
                "a group, 'last 2', 'last 50%' or a tuple of group names."
            )
        checks.integer(self.epochs, name="phase.epochs", low=1)
        if self.steps is not None:
            checks.integer(self.steps, name="phase.steps", low=1)
        checks.in_range(
            self.learning_rate,
            name="phase.learning_rate",
            low=0.0,
            include_low=False,
        )
        for field in (
            "encoder_rate_factor",
            "weight_decay",
            "warmup_epochs",
            "starting_point_strength",
        ):
            checks.in_range(
                getattr(self, field), name=f"phase.{field}", low=0.0
            )
        for group, factor in self.rate_factors.items():
            checks.in_range(
                factor, name=f"phase.rate_factors[{group!r}]", low=0.0
            )
        checks.in_range(
            self.depth_decay,
            name="phase.depth_decay",
            low=0.0,
            high=1.0,
            include_low=False,
        )
        if self.clip_norm is not None:
            checks.in_range(
                self.clip_norm,
                name="phase.clip_norm",
                low=0.0,
                include_low=False,
            )
        checks.integer(self.micro_batches, name="phase.micro_batches", low=1)
        if self.weights_average is not None:
            checks.in_range(
                self.weights_average,
                name="phase.weights_average",
                low=0.0,
                high=1.0,
                include_low=False,
                include_high=False,
            )
        checks.one_of(self.schedule, SCHEDULES, name="phase.schedule")
        checks.instance(
            self.augmentation,
            augmentations.Augmentation,
            name="phase.augmentation",
            hint="Write `tl_keras.data.Augmentation(flip=True)`.",
        )
        if self.cache_views is not None:
            checks.integer(self.cache_views, name="phase.cache_views", low=1)
        checks.share(self.label_smoothing, name="phase.label_smoothing")
        if self.patience is not None:
            checks.integer(self.patience, name="phase.patience", low=1)
        checks.one_of(
            self.batch_norm, BATCH_NORM_MODES, name="phase.batch_norm"
        )
        if self.lora_rank is not None:
            checks.integer(self.lora_rank, name="phase.lora_rank", low=1)
        if self.lora_alpha is not None:
            checks.in_range(
                self.lora_alpha,
                name="phase.lora_alpha",
                low=0.0,
                include_low=False,
            )
            if self.lora_rank is None:
                raise ValueError(
                    "`phase.lora_alpha` scales adapters, and there are none. "
                    f"Got: {self.lora_alpha}, and no `lora_rank`. Give both."
                )
        pruning = pruning_settings.of(self.pruning, name="phase.pruning")
        object.__setattr__(self, "pruning", pruning)
        if pruning is not None and self.lora_rank is not None:
            raise ValueError(
                f"Phase {self.name!r} has both `pruning` and `lora_rank`, and "
                "kernels that move by adapters keep no zeros. Got: "
                f"{pruning} and rank {self.lora_rank}. Leave one out, or "
                "prune in a phase after that with adapters."
            )

    def groups(self, names) -> tuple[str, ...]:
        """The names of the groups that train.

        Args:
            names: All group names in graph order, the head last.

        Raises:
            ValueError: If `train` names a group that is not among them. The
                message lists them.

        Example:
            >>> phase = Phase(name="top", train="last 1")
            >>> phase.groups(["stem", "stage1", "stage2", "head"])
            ('stage2', 'head')
        """
        names = list(names)
        argument = f"train of phase {self.name!r}"
        if isinstance(self.train, tuple):
            for group in self.train:
                checks.one_of(group, names, name=argument)
            return tuple(name for name in names if name in self.train)
        if self.train == "all":
            return tuple(names)
        last = _LAST.fullmatch(self.train)
        if last is None:
            checks.one_of(self.train, ["all", *names], name=argument)
            return tuple(names[names.index(self.train) :])
        return tuple(names[-self._count(last, len(names) - 1) - 1 :])

    def _count(self, last, encoder_groups: int) -> int:
        """How many encoder groups `"last N"` or `"last N%"` stands for."""
        number, percent = float(last[1]), last[2]
        if percent and number <= 100:
            # The tiny amount keeps 50% of 4 from rounding up to 3.
            return math.ceil(number / 100 * encoder_groups - 1e-9)
        if not percent and number == int(number) <= encoder_groups:
            return int(number)
        raise ValueError(
            f"`train` of phase {self.name!r} asks for too much. Got: "
            f"{self.train!r}. The encoder has {encoder_groups} groups; "
            "expected a whole number of them, or a share up to 100%."
        )


@dataclasses.dataclass(frozen=True)
class Plan:
    """Phases in order.

    Attributes:
        name: Shown in progress and results.
        phases: The phases, at least one, with different names.

    Example:
        >>> plan = Plan("mine", [Phase(name="a"), Phase(name="b")])
        >>> [phase.name for phase in plan.phases]
        ['a', 'b']
    """

    name: str
    phases: tuple[Phase, ...]

    def __post_init__(self):
        checks.instance(self.name, str, name="plan.name")
        object.__setattr__(self, "phases", tuple(self.phases))
        for phase in self.phases:
            checks.instance(phase, Phase, name="plan.phases")
        names = [phase.name for phase in self.phases]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                "`plan.phases` must be one or more phases with different "
                f"names. Got: {names}."
            )
