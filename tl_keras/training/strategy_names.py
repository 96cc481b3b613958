"""The names of strategies, checked before TensorFlow is needed."""

from tl_keras import checks

NAMES = ("auto", "none", "mirrored", "multiworker", "tpu")


def check(name: str):
    """Refuses what names no strategy.

    Args:
        name: One of `NAMES`, or `"tpu:"` and the name or address of a TPU.

    Raises:
        TypeError, ValueError: If it is something else.

    Example:
        >>> check("tpu:my-tpu")
        >>> check("gpu")
        Traceback (most recent call last):
            ...
        ValueError: Unknown `strategy`. Got: 'gpu'. Expected one of: ...
    """
    checks.instance(name, str, name="strategy")
    kind, colon, address = name.partition(":")
    if kind != "tpu" or (colon and not address):
        checks.one_of(name, NAMES, name="strategy")


def tpu_of(name: str) -> str | None:
    """Which TPU a strategy's name says, `"local"` for the one of this machine.

    Returns:
        Its name or address; None for another strategy.

    Example:
        >>> tpu_of("tpu"), tpu_of("tpu:my-tpu"), tpu_of("none")
        ('local', 'my-tpu', None)
    """
    kind, _, address = name.partition(":")
    return (address or "local") if kind == "tpu" else None
