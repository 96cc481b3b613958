"""What all pages have in common: templates, and pictures within the page."""

import base64
import importlib.resources

import jinja2


def environment() -> jinja2.Environment:
    """Where the templates of the pages are rendered.

    All that is put into them is escaped, and what they lack is an error.
    """
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template(name: str) -> str:
    """The text of a file in `templates`."""
    folder = importlib.resources.files("tl_keras.reports") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def address_of(content: bytes, kind: str) -> str:
    """A file's content as a `data:` URI.

    Example:
        >>> address_of(b"GIF", "image/gif")
        'data:image/gif;base64,R0lG'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
