"""What was chosen by a stopwatch, kept so that a restart chooses the same."""

import json
import os
import pathlib

from tl_keras.training import workers

FILE = "choices.json"


class TimedChoices:
    """Choices by what they were made for, in a file of the workdir.

    Several workers go by the choices of the chief, whose file it is.

    Args:
        path: The JSON file, or None to keep them in memory only.

    Raises:
        ValueError: If the file is no such file.

    Example:
        >>> choices = TimedChoices(None)
        >>> choices.get("head", "steps", lambda: 8)
        8
        >>> choices.get("head", "steps", lambda: 4)
        8
    """

    def __init__(self, path):
        self._path = None if path is None else pathlib.Path(path)
        self._made = workers.from_chief(self._read)

    def get(self, subject: str, name: str, choose):
        """A choice made earlier, or else what `choose()` gives, kept.

        Args:
            subject: What the choice depends on, as a text that is equal
                where the choice may be used again.
            name: What is chosen.
            choose: Called without arguments; gives a value for JSON.
        """
        made = self._made.setdefault(subject, {})
        if name not in made:
            self.put(subject, name, choose())
        return made[name]

    def find(self, subject: str, name: str):
        """A choice made earlier, or None."""
        return self._made.get(subject, {}).get(name)

    def put(self, subject: str, name: str, value):
        """Keeps a choice; it is on disk when this returns."""
        json.dumps(value)  # What cannot be kept is not remembered either.
        self._made.setdefault(subject, {})[name] = workers.of_chief(value)
        if self._path is None or not workers.is_chief():
            return
        beside = self._path.with_suffix(".json.part")
        with beside.open("w") as file:
            json.dump(self._made, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._path)

    def _read(self) -> dict:
        if self._path is None or not self._path.exists():
            return {}
        try:
            return _choices(json.loads(self._path.read_text()))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{str(self._path)!r} does not hold the choices of an "
                f"earlier run. {error}. Remove the file; they are made "
                "anew."
            ) from error


def _choices(content) -> dict:
    subjects = content.values() if isinstance(content, dict) else [content]
    if not all(isinstance(made, dict) for made in (content, *subjects)):
        raise ValueError("Expected an object of objects")
    return content
