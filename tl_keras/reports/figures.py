"""Drawings as addresses within a page, in its light and its dark colours."""

import io
import re

import matplotlib
import numpy as np
from matplotlib import colors
from matplotlib import figure as matplotlib_figure
from matplotlib import image as matplotlib_image
from matplotlib.backends import backend_svg

from tl_keras.reports import blocks
from tl_keras.reports import html_parts
from tl_keras.reports import palette

_PIXELS_PER_INCH = 80
# Of a matrix without letters.
_PIXELS_WIDTH = 560
_LETTERS = "text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif}"


def style() -> dict:
    """What a drawing of the report has in common with the others."""
    ink, muted = palette.light("ink"), palette.light("muted")
    line = palette.light("line")
    return {
        "svg.fonttype": "none",
        # Otherwise each drawing of the same would differ from the last.
        "svg.hashsalt": "tl_keras",
        "text.parse_math": False,
        "font.size": 9.5,
        "text.color": ink,
        "axes.labelcolor": muted,
        "axes.edgecolor": line,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": line,
        "grid.linewidth": 0.8,
        "xtick.color": line,
        "ytick.color": line,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
    }


def drawing(
    draw, *, caption: str, alt: str, size=(7.2, 3.4), narrow: bool = False
) -> blocks.Figure:
    """A figure for the page.

    Args:
        draw: Called with a `matplotlib.figure.Figure`, in the report's style
            and the light colours of `palette`.
        caption: What it shows, in a sentence.
        alt: The same for somebody who cannot see it.
        size: Width and height in inches.
        narrow: Whether another one has room beside it.

    Example:
        >>> def draw(figure):
        ...     _ = figure.subplots().plot([1, 2], color=palette.light("first"))
        >>> drawing(draw, caption="A line.", alt="It rises.").light[:19]
        'data:image/svg+xml;'
    """
    with matplotlib.rc_context(style()):
        figure = matplotlib_figure.Figure(figsize=size, layout="constrained")
        figure.patch.set_visible(False)
        backend_svg.FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = _tidied(buffer.getvalue())
    return blocks.Figure(
        caption=caption,
        alt=alt,
        light=_address(text),
        dark=_address(palette.darkened(text)),
        width=round(size[0] * _PIXELS_PER_INCH),
        height=round(size[1] * _PIXELS_PER_INCH),
        narrow=narrow,
    )


def pixels(strengths, *, caption: str, alt: str) -> blocks.Figure:
    """A picture with a pixel for each number of a large matrix.

    Args:
        strengths: Float `[height, width]` in [0, 1]; 0 is the page's ground.
        caption: What it shows, in a sentence.
        alt: The same for somebody who cannot see it.
    """
    height, width = np.shape(strengths)
    scale = max(1, round(_PIXELS_WIDTH / width))
    return blocks.Figure(
        caption=caption,
        alt=alt,
        light=_raster(strengths, palette.light),
        dark=_raster(strengths, palette.dark),
        width=width * scale,
        height=height * scale,
    )


def _raster(strengths, color_of) -> str:
    mapped = colors.LinearSegmentedColormap.from_list(
        "strength", [color_of("ground"), color_of("first")]
    )
    buffer = io.BytesIO()
    matplotlib_image.imsave(
        buffer, strengths, cmap=mapped, vmin=0, vmax=1, format="png"
    )
    return html_parts.address_of(buffer.getvalue(), "image/png")


def _tidied(text: str) -> str:
    """Without the head, in the reader's own letters, in short numbers."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace("</style>", _LETTERS + "</style>", 1)
    return re.sub(r"<[^<>]*>", _shortened, text)


def _shortened(tag) -> str:
    short = re.sub(r"font-family: [^;]*;", "", tag[0])
    return re.sub(r"(\d\.\d\d)\d+", r"\1", short)


def _address(text: str) -> str:
    return html_parts.address_of(text.encode("utf-8"), "image/svg+xml")
