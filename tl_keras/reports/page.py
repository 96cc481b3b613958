"""`report.html`: one file that tells all of a run, and asks for nothing."""

import base64
import hashlib
import itertools
import pathlib

import markupsafe

from tl_keras import whole_files
from tl_keras.reports import html_parts
from tl_keras.reports import palette
from tl_keras.reports.sections import audit
from tl_keras.reports.sections import calibration
from tl_keras.reports.sections import classes
from tl_keras.reports.sections import comparison
from tl_keras.reports.sections import cost
from tl_keras.reports.sections import data
from tl_keras.reports.sections import decisions
from tl_keras.reports.sections import examples
from tl_keras.reports.sections import explanations
from tl_keras.reports.sections import model_card
from tl_keras.reports.sections import provenance
from tl_keras.reports.sections import ranking
from tl_keras.reports.sections import robustness
from tl_keras.reports.sections import scores
from tl_keras.reports.sections import setup
from tl_keras.reports.sections import slices
from tl_keras.reports.sections import stability
from tl_keras.reports.sections import summary
from tl_keras.reports.sections import training

SECTIONS = (
    summary,
    setup,
    data,
    training,
    scores,
    classes,
    calibration,
    decisions,
    ranking,
    slices,
    stability,
    comparison,
    robustness,
    examples,
    explanations,
    audit,
    cost,
    provenance,
    model_card,
)


def write(findings, path) -> pathlib.Path:
    """Writes the report of a run as one HTML file.

    Args:
        findings: `Findings` of the run.
        path: File name. A file of that name is replaced once the new one is
            whole.

    Returns:
        The path.
    """
    with whole_files.replacing(path) as beside:
        beside.write_text(render(findings), encoding="utf-8")
    return pathlib.Path(path)


def render(findings) -> str:
    """The report of a run, as the text of an HTML file.

    Style and script are within it, pictures are `data:` URIs, and its policy
    forbids a browser to load anything, or to run another script. All that
    comes from the run is escaped.

    Args:
        findings: `Findings` of the run.
    """
    environment = html_parts.environment()
    environment.filters["runs"] = _runs
    style = _colors() + html_parts.template("report.css")
    script = html_parts.template("report.js")
    sections = [section.of(findings) for section in SECTIONS]
    entries = findings.entries
    return environment.get_template("report.html.jinja").render(
        title=f"{entries['encoder']} on {entries['dataset']}",
        entries=entries,
        sections=[section for section in sections if section is not None],
        style=markupsafe.Markup(style),
        style_hash=_digest(style),
        script=markupsafe.Markup(script),
        script_hash=_digest(script),
    )


def _colors() -> str:
    """The palette as CSS variables, by what the reader prefers."""

    def block(of) -> str:
        return "".join(f"--{name}:{of(name)};" for name in palette.COLORS)

    return (
        f":root{{{block(palette.light)}}}\n"
        "@media screen and (prefers-color-scheme:dark)"
        f"{{:root{{{block(palette.dark)}}}}}\n"
    )


def _digest(text: str) -> str:
    """By which a page's policy knows its own style and script."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _runs(parts):
    """Neighbours of one kind together: items that make a list."""
    return [
        (kind, [text for _, text in group])
        for kind, group in itertools.groupby(parts, key=lambda part: part[0])
    ]
