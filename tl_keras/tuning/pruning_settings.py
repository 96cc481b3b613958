"""How many weights a phase sets to zero, and when."""

import dataclasses

from tl_keras import checks

SCOPES = ("layer", "global")


@dataclasses.dataclass(frozen=True)
class Pruning:
    """Magnitude pruning: a phase sets the smallest weights to zero for good.

    For a model that is to be small when it is compressed: zeros take next to
    no room. Accuracy is the better, the longer the rest trains after it.

    Of the groups that train, kernels are pruned: no biases, no scales, no
    tables of embeddings, whose rows few examples see, and no depthwise
    kernels, which are thin and dear to accuracy. What is zero stays zero to
    the end of the phase, and in later phases of the plan as well. So does
    what is zero when the phase begins, e.g. from an earlier `fit`: but for a
    kernel that is nothing but zeros, which is taken for a fresh one.

    Where there is validation, the weights that are kept are the best of the
    epochs that end with the final sparsity.

    Attributes:
        sparsity: Share of zeros to reach, in (0, 1). A kernel that begins
            with more keeps them. None sets nothing to zero, and keeps what is
            zero.
        start: When pruning starts, as a share of the phase's steps, in
            [0, 1).
        end: When `sparsity` is reached, as such a share, at least `start` and
            in (0, 1]. In between the share of zeros grows fast at first and
            slowly at last, by the cubic schedule of the reference.
        every_steps: After how many optimizer steps more is set to zero.
        scope: `"layer"` gives each kernel that share of zeros; `"global"`
            compares the weights of all kernels, so that large ones may keep
            more and small ones fewer.

    Example:
        >>> from tl_keras.tuning import Phase
        >>> phase = Phase(name="sparse", pruning=Pruning(0.8, end=0.75))
        >>> phase.pruning.scope
        'layer'

    Reference:
        Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of
        pruning for model compression", 2017,
        https://arxiv.org/abs/1710.01878
    """

    sparsity: float | None
    start: float = 0.0
    end: float = 0.5
    every_steps: int = 10
    scope: str = "layer"

    def __post_init__(self):
        if self.sparsity is not None:
            checks.in_range(
                self.sparsity,
                name="pruning.sparsity",
                low=0.0,
                high=1.0,
                include_low=False,
                include_high=False,
            )
        checks.share(self.start, name="pruning.start")
        checks.in_range(
            self.end,
            name="pruning.end",
            low=self.start,
            high=1.0,
            include_low=self.start > 0.0,
        )
        checks.integer(self.every_steps, name="pruning.every_steps", low=1)
        checks.one_of(self.scope, SCOPES, name="pruning.scope")

    def schedule(self, total_steps: int) -> list[tuple[int, float]]:
        """After which steps weights are set to zero, and up to which share.

            sparsity * (1 - (1 - (step - first) / (last - first)) ** 3)

        Args:
            total_steps: Optimizer steps of the phase.

        Returns:
            Pairs of a number of steps that are done, at least 1 and rising,
            and the share of zeros from then on. The last share is `sparsity`.
            Empty where `sparsity` is None.

        Example:
            >>> pruning = Pruning(0.8, end=1.0, every_steps=5)
            >>> [(step, round(s, 3)) for step, s in pruning.schedule(10)]
            [(5, 0.7), (10, 0.8)]
        """
        if self.sparsity is None:
            return []
        first = round(self.start * total_steps)
        last = max(1, round(self.end * total_steps))
        shares = {}
        for step in range(first, last, self.every_steps):
            left = 1.0 - (step - first) / (last - first)
            shares[step] = self.sparsity * (1.0 - left**3)
        # The first share of all is none.
        shares.pop(first, None)
        return [*shares.items(), (last, self.sparsity)]


def of(value, *, name: str) -> Pruning | None:
    """Pruning as configs and commands give it, which hold numbers.

    Args:
        value: None; a `Pruning`; its `sparsity`; or a dict of its fields.
        name: The argument's name.

    Raises:
        TypeError, ValueError: If it is nothing of these.

    Example:
        >>> of(0.5, name="pruning")
        Pruning(sparsity=0.5, start=0.0, end=0.5, every_steps=10, scope='layer')
    """
    if value is None or isinstance(value, Pruning):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Pruning(value)
    checks.instance(
        value,
        dict,
        name=name,
        hint="Write `tl_keras.tuning.Pruning(0.5)`, or 0.5 for short.",
    )
    known = [field.name for field in dataclasses.fields(Pruning)]
    for field in value:
        checks.one_of(field, known, name=f"field of {name}")
    if "sparsity" not in value:
        raise ValueError(
            f"`{name}` has no sparsity. Got: {value}. Expected a share of "
            "zeros, e.g. {'sparsity': 0.5}, or None to keep what is zero."
        )
    return Pruning(**value)
