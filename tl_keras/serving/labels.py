"""The names of a served model's classes, one a line in labels.txt."""

from tl_keras import cards


def class_names(names, model) -> list[str]:
    """The names to use, one per output of the model.

    Args:
        names: What the user gave: a list, or None for the names in the
            model's card, else "0", "1", ...
        model: A classifier.

    Raises:
        TypeError: If `names` is one string.
        ValueError: If there are more or fewer names than outputs, or one
            would not be a line of its own.
    """
    num_classes = model.outputs[0].shape[1]
    if names is None:
        card = cards.of(model)
        names = card.class_names if card else None
    if names is None:
        names = range(num_classes)
    if isinstance(names, str):
        raise TypeError(
            f"`class_names` is one string. Got: {names!r}. Expected a list of "
            "names, one per class."
        )
    names = [str(name) for name in names]
    if len(names) != num_classes:
        raise ValueError(
            f"`class_names` does not fit the model. Got: {len(names)} names, "
            f"{names[:5]}. Expected {num_classes}, one per output."
        )
    broken = [name for name in names if len(name.splitlines()) != 1]
    if broken:
        raise ValueError(
            "A class name is empty or holds a line break. Got: "
            f"{broken[0]!r}. Expected one line each, as in labels.txt."
        )
    return names


def as_lines(names) -> str:
    r"""The content of labels.txt.

    Example:
        >>> as_lines(["cat", "dog"])
        'cat\ndog\n'
    """
    return "".join(f"{name}\n" for name in names)
