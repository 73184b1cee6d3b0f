"""What is found to be wrong, or worth a hint, in a configuration and in what it names."""

from dataclasses import dataclass

from config.errors import Problem
from config.loader import Places
from config.tree import Path, find


@dataclass(frozen=True)
class Finding:
    """What is wrong with the setting at `path`, or, where `file` is named, with that file.

    A hint is no reason to refuse the configuration. `line` is that of `file`, None if unknown.
    """

    path: Path
    message: str
    is_hint: bool = False
    file: str = ""
    line: int | None = None

    def placed(self, places: Places) -> Problem:
        """With the file and line, or the variable, that says it."""
        if self.file:
            return Problem(self.file, self.line, "", self.message)
        return places.problem(_as_said(self.path, places), self.message)


def _as_said(path: Path, places: Places) -> Path:
    """A section or a list may be said in one text, which then stands for all that is below."""
    for length in range(1, len(path)):
        there, value = find(places.outer.data, path[:length])
        if there and not isinstance(value, dict | list):
            return path[:length]
    return path
