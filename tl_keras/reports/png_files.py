"""Drawings as PNG files."""

import pathlib

from matplotlib import figure as matplotlib_figure
from matplotlib.backends import backend_agg

_DPI = 110


def figure(width: float, height: float) -> matplotlib_figure.Figure:
    """A figure that no state of `pyplot` knows, so it needs no closing.

    Args:
        width: In inches, of 110 pixels each.
        height: Likewise.
    """
    made = matplotlib_figure.Figure(
        figsize=(width, height), dpi=_DPI, layout="constrained"
    )
    backend_agg.FigureCanvasAgg(made)
    return made


def save(drawn, path) -> pathlib.Path:
    """Writes a figure; gives the path. Missing folders are made."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, format="png")
    return path
