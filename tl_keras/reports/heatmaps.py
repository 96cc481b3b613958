"""Pictures of explanations: a map over its image, words, and their checks."""

import pathlib

import matplotlib
import numpy as np

from tl_keras.reports import png_files

_STRONGEST = 0.75
_MAX_WORDS = 40
_FOR, _AGAINST = "#b2182b", "#2166ac"


def overlay(image, map_) -> np.ndarray:
    """A map of an explanation over its image.

    Where the map is zero the image shows, in grey; the stronger, the more
    colour covers it. Maps of one sign go from yellow to red; of both, red
    speaks for the class and blue against it.

    Args:
        image: `[height, width, channels]`, 0..255; 1, 3 or 4 channels.
        map_: `[height, width]`, any finite numbers.

    Returns:
        uint8 `[height, width, 3]`.

    Raises:
        ValueError: If the two do not fit.

    Example:
        >>> import numpy as np
        >>> overlay(np.zeros((4, 4, 3)), np.eye(4)).shape
        (4, 4, 3)
    """
    image, map_ = np.asarray(image, np.float64), np.asarray(map_, np.float64)
    if image.ndim != 3 or map_.shape != image.shape[:2]:
        raise ValueError(
            f"`map_` does not fit `image`. Got shapes: {map_.shape} and "
            f"{image.shape}. Expected a number for each pixel."
        )
    if not np.isfinite(map_).all():
        raise ValueError("`map_` holds NaN or infinity. Expected numbers.")
    grey = image[..., :3].mean(axis=-1, keepdims=True) / 255
    largest = np.abs(map_).max() or 1.0
    strength = np.abs(map_) / largest
    if map_.min() < 0:
        colors = matplotlib.colormaps["RdBu_r"](map_ / largest / 2 + 0.5)
    else:
        colors = matplotlib.colormaps["YlOrRd"](strength)
    opacity = (_STRONGEST * np.sqrt(strength))[..., None]
    mixed = (1 - opacity) * np.clip(grey, 0, 1) + opacity * colors[..., :3]
    return np.round(mixed * 255).astype(np.uint8)


def image_explanation(image, explanation, title: str, path) -> pathlib.Path:
    """Draws an image, the map over it, and what its checks found.

    Args:
        image: `[height, width, channels]`, 0..255.
        explanation: A `tl_keras.interpretation.Explanation` of it.
        title: What stands above.
        path: Name of the PNG file. Missing folders are made.

    Returns:
        The path.
    """
    checked = explanation.checks is not None
    figure = png_files.figure(10.5 if checked else 6.2, 3.4)
    panels = figure.subplots(1, 3 if checked else 2)
    shown = np.clip(np.asarray(image)[..., :3], 0, 255).astype(np.uint8)
    if shown.shape[-1] == 1:
        shown = np.repeat(shown, 3, axis=-1)
    for panel, pixels, name in (
        (panels[0], shown, "image"),
        (panels[1], overlay(image, explanation.map), explanation.method),
    ):
        panel.imshow(pixels)
        panel.set_axis_off()
        panel.set_title(name.replace("_", " "), fontsize=9)
    if checked:
        _draw_checks(panels[2], explanation.checks)
    figure.suptitle(title, fontsize=10, parse_math=False)
    return png_files.save(figure, path)


def text_explanation(explanation, title: str, path) -> pathlib.Path:
    """Draws a bar for each word of a text, and what their checks found.

    Of a long text, the 40 words that matter most.

    Args:
        explanation: A `tl_keras.interpretation.Explanation` of a text.
        title: What stands above.
        path: Name of the PNG file. Missing folders are made.

    Returns:
        The path.
    """
    tokens = list(explanation.tokens)
    strongest = sorted(range(len(tokens)), key=lambda i: -abs(tokens[i][1]))
    tokens = [tokens[i] for i in sorted(strongest[:_MAX_WORDS])]
    checked = explanation.checks is not None
    height = max(3.4, 0.6 + 0.2 * len(tokens))
    figure = png_files.figure(8.5 if checked else 5.0, height)
    panels = figure.subplots(1, 2 if checked else 1, squeeze=False)[0]
    values = [value for _, value in tokens]
    places = range(len(tokens))
    colors = [_FOR if value > 0 else _AGAINST for value in values]
    panels[0].barh(places, values, color=colors)
    panels[0].set_yticks(
        places, [word for word, _ in tokens], fontsize=8, parse_math=False
    )
    panels[0].invert_yaxis()
    panels[0].axvline(0, color="black", linewidth=0.8)
    panels[0].set_xlabel("adds to the logit")
    if checked:
        _draw_checks(panels[1], explanation.checks)
    figure.suptitle(title, fontsize=10, parse_math=False)
    return png_files.save(figure, path)


def _draw_checks(panel, checks):
    """The curves of a map, and dotted those of the map moved at random."""
    for name, color in (("deletion", _AGAINST), ("insertion", _FOR)):
        for prefix, style, label in (
            ("", "-", name),
            ("random_", ":", "at random"),
        ):
            area = getattr(checks, f"{prefix}{name}_area")
            panel.plot(
                checks.fractions,
                getattr(checks, f"{prefix}{name}"),
                color=color,
                linestyle=style,
                label=f"{label} {area:.2f}",
            )
    panel.set_ylim(-0.02, 1.02)
    panel.set_xlabel("share taken away or put back")
    panel.set_ylabel("probability of the class")
    panel.set_title(
        "passes the checks" if checks.passes else "fails the checks",
        fontsize=9,
    )
    panel.legend(frameon=False, fontsize=7)
