"""What is known of a run, for the sections of its report to choose from."""

import dataclasses
import pathlib

from tl_keras.reports import html_parts

_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}


@dataclasses.dataclass(frozen=True)
class Findings:
    """What the sections of a report are made of.

    Attributes:
        entries: Those of `results.json`.
        folder: The workdir, in which the pictures are that the entries name,
            or None.
        card_text: What the user wrote of the model, in Markdown, or None.
        defaults: The fields of a config that was not changed, or None.
    """

    entries: dict
    folder: pathlib.Path | None = None
    card_text: str | None = None
    defaults: dict | None = None

    def part(self, *names: str):
        """An entry within entries, or None where there is none.

        Example:
            >>> Findings({"test": {"accuracy": 0.9}}).part("test", "accuracy")
            0.9
            >>> Findings({"test": None}).part("test", "accuracy")
        """
        found = self.entries
        for name in names:
            if not isinstance(found, dict):
                return None
            found = found.get(name)
        return found

    def picture(self, name: str | None) -> str | None:
        """The `data:` URI of a picture; None where it is not there.

        Args:
            name: Its path within the folder.
        """
        if name is None or self.folder is None:
            return None
        folder = self.folder.resolve()
        path = (folder / name).resolve()
        if path.suffix not in _KINDS or not path.is_file():
            return None
        if not path.is_relative_to(folder):
            return None
        return html_parts.address_of(path.read_bytes(), _KINDS[path.suffix])
