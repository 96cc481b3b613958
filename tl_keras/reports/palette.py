"""The report's colours, on light pages and on dark ones.

A drawing is made in the light colours; for dark pages each is exchanged.
"""

import re

# Name: (light, dark). Light ones differ from each other, so that each can be
# told in a drawing. Text on its ground has a contrast of 4.5 to 1 or more.
COLORS = {
    "ground": ("#fdfdfb", "#15191e"),
    "raised": ("#f4f5f2", "#1d232a"),
    "ink": ("#1b2530", "#e6e9ec"),
    "muted": ("#55616d", "#a3aeb9"),
    "line": ("#d9dedd", "#333c46"),
    "band": ("#eef1f0", "#1f262d"),
    "first": ("#1d6a86", "#67bcd6"),
    "second": ("#a65110", "#e9a365"),
    "third": ("#5d4a9c", "#a996e6"),
    "fourth": ("#3b7547", "#7fc18c"),
    "fifth": ("#9b2f55", "#e389aa"),
    "sixth": ("#6c6320", "#c9bd6a"),
}
SERIES = ("first", "second", "third", "fourth", "fifth", "sixth")


def light(name: str) -> str:
    """A colour on light pages, as `#rrggbb`.

    Example:
        >>> light("ink")
        '#1b2530'
    """
    return COLORS[name][0]


def dark(name: str) -> str:
    """A colour on dark pages, as `#rrggbb`."""
    return COLORS[name][1]


def darkened(drawing: str) -> str:
    """A drawing in light colours as it is on dark pages.

    Args:
        drawing: Text of an SVG file.

    Example:
        >>> darkened('<path stroke="#1b2530"/>')
        '<path stroke="#e6e9ec"/>'
    """
    exchange = dict(COLORS.values())
    return re.sub("|".join(exchange), lambda found: exchange[found[0]], drawing)
