"""What the names of layers and variables tell of the place they have."""

import re

# A number, with a letter as in "block2a", that ends a word of a name.
_NUMBER = re.compile(r"\d+[a-z]?(?=_|$)")
# "conv2d" and its like: the number is no place in a series.
_KINDS_OF_LAYERS = re.compile(r"(conv|pool|pooling)$", re.IGNORECASE)


def up_to_number(name: str) -> str:
    """The beginning of a name up to its first number in a series.

    Example:
        >>> up_to_number("block_1_expand_BN"), up_to_number("Conv2d_1_pw")
        ('block_1', 'Conv2d_1')
    """
    for match in _NUMBER.finditer(name):
        before = name[: match.start()]
        if not (match[0].endswith("d") and _KINDS_OF_LAYERS.search(before)):
            return name[: match.end()]
    return name
