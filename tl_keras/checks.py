"""Argument checks, worded one way: what came, what was expected, what to do.

Every check returns the value it was given, so that it can stand in an
assignment. None of them imports TensorFlow.
"""

import difflib
import math
import numbers


def one_of(value, allowed, *, name: str):
    """Returns `value` if it is among `allowed`.

    Args:
        value: What the user gave.
        allowed: Iterable of the values that are valid.
        name: The argument's name, as the user wrote it.

    Raises:
        ValueError: If `value` is not in `allowed`. The message lists them and
            proposes the closest one.

    Example:
        >>> one_of("adam", ["adam", "sgd"], name="optimizer")
        'adam'
    """
    allowed = list(allowed)
    if value in allowed:
        return value
    shown = ", ".join(repr(item) for item in allowed)
    message = f"Unknown `{name}`. Got: {value!r}. Expected one of: {shown}."
    raise ValueError(message + did_you_mean(value, allowed))


def did_you_mean(value, allowed) -> str:
    """A sentence that proposes the closest of `allowed`, or nothing.

    Example:
        >>> did_you_mean("adamv", ["adamw", "sgd"])
        " Did you mean 'adamw'?"
        >>> did_you_mean("zebra", ["adamw", "sgd"])
        ''
    """
    by_lower = {str(item).lower(): item for item in allowed}
    close = difflib.get_close_matches(str(value).lower(), by_lower, n=1)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""


def in_range(
    value,
    *,
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    include_low: bool = True,
    include_high: bool = True,
):
    """Returns `value` if it is a finite number between `low` and `high`.

    Args:
        value: What the user gave.
        name: The argument's name.
        low: Smallest valid number.
        high: Largest valid number.
        include_low: Whether `low` itself is valid.
        include_high: Whether `high` itself is valid.

    Raises:
        TypeError: If `value` is not a number (a bool is none).
        ValueError: If it is NaN, infinite or outside of the range.

    Example:
        >>> in_range(0.1, name="dropout", low=0.0, high=1.0)
        0.1
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"`{name}` must be a number. Got: {value!r} of type "
            f"{type(value).__name__}."
        )
    above = value >= low if include_low else value > low
    below = value <= high if include_high else value < high
    if math.isfinite(value) and above and below:
        return value
    left, right = "[("[not include_low], "])"[not include_high]
    raise ValueError(
        f"`{name}` is out of range. Got: {value!r}. Expected a finite number "
        f"in {left}{low}, {high}{right}."
    )


def share(value, *, name: str):
    """Returns `value` if it is a number in [0, 1): a part, never the whole.

    Raises:
        TypeError, ValueError: As `in_range`.

    Example:
        >>> share(0.2, name="dropout")
        0.2
    """
    return in_range(value, name=name, low=0.0, high=1.0, include_high=False)


def interval(value, *, name: str) -> tuple[float, float]:
    """Returns `value` as a pair if it is two finite numbers, the lower first.

    Raises:
        TypeError: If `value` is no pair, or of something else than numbers.
        ValueError: If one is NaN or infinite, or the second is not above the
            first.

    Example:
        >>> interval((0, 1), name="input_range")
        (0, 1)
    """
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(
            f"`{name}` must be two numbers. Got: {value!r}. Expected the "
            "lowest and the highest, e.g. (0, 1)."
        )
    low = in_range(value[0], name=f"{name}[0]")
    high = in_range(value[1], name=f"{name}[1]", low=low, include_low=False)
    return low, high


def integer(value, *, name: str, low: int = 0):
    """Returns `value` if it is a whole number of at least `low`.

    Raises:
        TypeError: If `value` is not an integer (a bool is none).
        ValueError: If it is smaller than `low`.

    Example:
        >>> integer(3, name="epochs", low=1)
        3
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"`{name}` must be a whole number. Got: {value!r} of type "
            f"{type(value).__name__}."
        )
    if value < low:
        raise ValueError(
            f"`{name}` is too small. Got: {value}. Expected at least {low}."
        )
    return int(value)


def instance(value, expected_type, *, name: str, hint: str = ""):
    """Returns `value` if it is an instance of `expected_type`.

    Args:
        value: What the user gave.
        expected_type: A class or a tuple of classes.
        name: The argument's name.
        hint: A sentence on what to do, added to the message.

    Raises:
        TypeError: If it is something else.

    Example:
        >>> instance("a", str, name="name")
        'a'
    """
    if isinstance(value, expected_type):
        return value
    types = (
        expected_type if isinstance(expected_type, tuple) else (expected_type,)
    )
    expected = " or ".join(t.__name__ for t in types)
    message = (
        f"`{name}` has the wrong type. Got: {value!r} of type "
        f"{type(value).__name__}. Expected: {expected}."
    )
    raise TypeError(f"{message} {hint}".rstrip())
