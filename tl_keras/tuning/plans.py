"""Named plans: ready-made lists of phases.

The defaults come from trials on CIFAR-10 that `benchmarks/README.md` tables.
Where a plan has several phases, `pruning` is for the last one, which trains
all that those before have trained.
"""

import inspect

from tl_keras import checks
from tl_keras import registry
from tl_keras.data import augmentation as augmentations
from tl_keras.tuning.phases import Phase
from tl_keras.tuning.phases import Plan

# Where a pretrained encoder trains, the first steps are small ones.
_WARMUP_EPOCHS = 0.5


def linear_probe(
    epochs: int = 10, learning_rate: float = 1e-2, **options
) -> Plan:
    """The head alone trains, on features that stay as they are.

    The cheapest plan, and the yardstick for the others.

    Args:
        epochs: Passes over the training data.
        learning_rate: Peak rate of the head.
        **options: Further fields of `Phase`.

    Returns:
        A `Plan` of one phase, `head`.

    Example:
        >>> linear_probe(epochs=3).phases[0].train
        'head'
    """
    return Plan("linear_probe", [_head_phase(epochs, learning_rate, options)])


def head_then_top(
    head_epochs: int = 5,
    top_epochs: int = 10,
    top: str | tuple[str, ...] = "last 50%",
    head_learning_rate: float = 1e-2,
    top_learning_rate: float = 1e-3,
    head_augmentation=None,
    **options,
) -> Plan:
    """The head first, then it and the top of the encoder.

    The default choice: a fresh head's large first gradients do not reach the
    pretrained weights, and the lower groups, which see edges and textures,
    stay as they are.

    Args:
        head_epochs: Epochs of the first phase.
        top_epochs: Epochs of the second phase.
        top: What trains in the second phase, as in `Phase.train`.
        head_learning_rate: Peak rate of the head in the first phase.
        top_learning_rate: Peak rate in the second phase.
        head_augmentation: Of the first phase; None is the flip of
            `augmentation` and nothing else of it, so that what the encoder
            gives can be kept from epoch to epoch.
        **options: Further fields of `Phase` for both phases.

    Returns:
        A `Plan` of two phases, `head` and `top`.

    Example:
        >>> [p.epochs for p in head_then_top(top_epochs=3).phases]
        [5, 3]
    """
    return Plan(
        "head_then_top",
        [
            _first_phase(
                head_epochs, head_learning_rate, head_augmentation, options
            ),
            _tuning_phase("top", top, top_epochs, top_learning_rate, options),
        ],
    )


def gradual(
    head_epochs: int = 3,
    group_epochs: int = 2,
    num_groups: int = 3,
    head_learning_rate: float = 1e-2,
    learning_rate: float = 1e-3,
    head_augmentation=None,
    **options,
) -> Plan:
    """The head first, then one encoder group more in every phase.

    Args:
        head_epochs: Epochs of the first phase.
        group_epochs: Epochs of each later phase.
        num_groups: How many encoder groups train in the last phase.
        head_learning_rate: Peak rate of the head in the first phase.
        learning_rate: Peak rate in the later phases.
        head_augmentation: Of the first phase; None is the flip of
            `augmentation` and nothing else of it, so that what the encoder
            gives can be kept from epoch to epoch.
        **options: Further fields of `Phase` for all phases.

    Returns:
        A `Plan` of `1 + num_groups` phases: `head`, `last_1`, `last_2` ...

    Example:
        >>> [phase.train for phase in gradual(num_groups=2).phases]
        ['head', 'last 1', 'last 2']

    Reference:
        Howard and Ruder, "Universal Language Model Fine-tuning for Text
        Classification", ACL 2018, https://arxiv.org/abs/1801.06146
    """
    checks.integer(num_groups, name="num_groups", low=1)
    later = [
        _tuning_phase(
            f"last_{count}",
            f"last {count}",
            group_epochs,
            learning_rate,
            options if count == num_groups else _before_last(options),
        )
        for count in range(1, num_groups + 1)
    ]
    head = _first_phase(
        head_epochs, head_learning_rate, head_augmentation, options
    )
    return Plan("gradual", [head, *later])


def full(epochs: int = 10, learning_rate: float = 1e-3, **options) -> Plan:
    """Everything trains from the start.

    Args:
        epochs: Passes over the training data.
        learning_rate: Peak rate.
        **options: Further fields of `Phase`.

    Returns:
        A `Plan` of one phase, `full`.

    Example:
        >>> full(epochs=2).phases[0].train
        'all'
    """
    return Plan(
        "full", [_tuning_phase("full", "all", epochs, learning_rate, options)]
    )


def probe_then_full(
    probe_epochs: int = 5,
    full_epochs: int = 10,
    probe_learning_rate: float = 1e-2,
    full_learning_rate: float = 1e-3,
    head_augmentation=None,
    **options,
) -> Plan:
    """A linear probe first, then everything.

    The pretrained features are distorted less when the head is good before
    they begin to move, which helps most on data unlike the training data.

    Args:
        probe_epochs: Epochs of the first phase.
        full_epochs: Epochs of the second phase.
        probe_learning_rate: Peak rate of the head in the first phase.
        full_learning_rate: Peak rate in the second phase.
        head_augmentation: Of the first phase; None is the flip of
            `augmentation` and nothing else of it, so that what the encoder
            gives can be kept from epoch to epoch.
        **options: Further fields of `Phase` for both phases.

    Returns:
        A `Plan` of two phases, `head` and `full`.

    Example:
        >>> [phase.train for phase in probe_then_full().phases]
        ['head', 'all']

    Reference:
        Kumar et al., "Fine-Tuning can Distort Pretrained Features and
        Underperform Out-of-Distribution", ICLR 2022,
        https://arxiv.org/abs/2202.10054
    """
    return Plan(
        "probe_then_full",
        [
            _first_phase(
                probe_epochs, probe_learning_rate, head_augmentation, options
            ),
            _tuning_phase(
                "full", "all", full_epochs, full_learning_rate, options
            ),
        ],
    )


def lora(
    head_epochs: int = 5,
    lora_epochs: int = 10,
    lora_rank: int = 8,
    lora_alpha: float | None = None,
    top: str | tuple[str, ...] = "all",
    head_learning_rate: float = 1e-2,
    lora_learning_rate: float = 3e-3,
    head_augmentation=None,
    **options,
) -> Plan:
    """The head first, then it and low-rank adapters of the encoder.

    The choice for large encoders and little data: what can change of a kernel
    is a product of two thin matrices, a few percent of its entries, and
    biases and normalisations stay as they are.

    Args:
        head_epochs: Epochs of the first phase.
        lora_epochs: Epochs of the second phase.
        lora_rank: Rank of the adapters in the second phase.
        lora_alpha: The adapters are scaled by `lora_alpha / lora_rank`; None
            is the rank.
        top: What trains in the second phase, as in `Phase.train`.
        head_learning_rate: Peak rate of the head in the first phase.
        lora_learning_rate: Peak rate in the second phase.
        head_augmentation: Of the first phase; None is the flip of
            `augmentation` and nothing else of it, so that what the encoder
            gives can be kept from epoch to epoch.
        **options: Further fields of `Phase` for both phases.

    Returns:
        A `Plan` of two phases, `head` and `lora`.

    Example:
        >>> [phase.lora_rank for phase in lora(lora_rank=4).phases]
        [None, 4]

    Reference:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR
        2022, https://arxiv.org/abs/2106.09685
    """
    adapters = {"lora_rank": lora_rank, "lora_alpha": lora_alpha}
    return Plan(
        "lora",
        [
            _first_phase(
                head_epochs, head_learning_rate, head_augmentation, options
            ),
            _tuning_phase(
                "lora",
                top,
                lora_epochs,
                lora_learning_rate,
                {**options, **adapters},
            ),
        ],
    )


def names() -> list[str]:
    """The names that `make` takes.

    Example:
        >>> "head_then_top" in names()
        True
    """
    return _PLANS.names()


def make(name: str, /, **options) -> Plan:
    """A named plan.

    Args:
        name: One of `names()`.
        **options: The arguments of the function of that name.

    Raises:
        ValueError: If there is no such plan, or it has no such option. The
            message lists what there is.

    Example:
        >>> make("full", epochs=3).phases[0].epochs
        3
    """
    factory = _PLANS.find(name)
    own = [
        parameter.name
        for parameter in inspect.signature(factory).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    # A plan names its phases, what they train and for how long.
    fixed = {"name", "train", "epochs", "learning_rate"}
    shared = [f for f in Phase.__dataclass_fields__ if f not in fixed]
    for option in options:
        checks.one_of(option, own + shared, name=f"option of plan {name!r}")
    return factory(**options)


_PLANS = registry.Registry("plan")
for _factory in (
    linear_probe,
    head_then_top,
    gradual,
    full,
    probe_then_full,
    lora,
):
    _PLANS.add(_factory.__name__, _factory)


def _before_last(options) -> dict:
    """The options of a phase that others follow, which prune."""
    return {k: v for k, v in options.items() if k != "pruning"}


def _head_phase(epochs, learning_rate, options) -> Phase:
    # Adapters are the encoder's, which rests.
    adapters = ("lora_rank", "lora_alpha")
    return Phase(
        **{
            "name": "head",
            "train": "head",
            "epochs": epochs,
            "learning_rate": learning_rate,
            **{k: v for k, v in options.items() if k not in adapters},
        }
    )


def _first_phase(epochs, learning_rate, augmentation, options) -> Phase:
    """The head's phase, in front of others."""
    if augmentation is None:
        given = options.get("augmentation", augmentations.Augmentation())
        augmentation = augmentations.Augmentation(flip=given.flip)
    options = {**_before_last(options), "augmentation": augmentation}
    return _head_phase(epochs, learning_rate, options)


def _tuning_phase(name, train, epochs, learning_rate, options) -> Phase:
    return Phase(
        **{
            "warmup_epochs": _WARMUP_EPOCHS,
            "name": name,
            "train": train,
            "epochs": epochs,
            "learning_rate": learning_rate,
            **options,
        }
    )
