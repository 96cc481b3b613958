"""How two settings differ, field by field, for people to read."""

_MOST_SHOWN = 10
_NOTHING = object()


def lines(earlier: dict, now: dict, *, where: str = "earlier") -> list[str]:
    """A line for each field in which two dicts differ.

    Args:
        earlier: Dicts, lists, texts, numbers and None, as deep as they may be.
        now: The same, as it is now.
        where: What the lines call the first one.

    Returns:
        Up to ten lines, and one that says how many more there are.

    Example:
        >>> lines({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
        ['a.b: 1 earlier, 3 now']
    """
    earlier, now = _flat(earlier), _flat(now)
    found = [
        f"{name}: {_shown(earlier, name)} {where}, {_shown(now, name)} now"
        for name in dict.fromkeys([*earlier, *now])
        if earlier.get(name, _NOTHING) != now.get(name, _NOTHING)
    ]
    if len(found) > _MOST_SHOWN:
        found[_MOST_SHOWN:] = [f"and {len(found) - _MOST_SHOWN} more"]
    return found


def _shown(fields, name) -> str:
    return repr(fields[name]) if name in fields else "nothing"


def _flat(fields: dict, prefix: str = "") -> dict:
    flat = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
