"""What is wrong with a configuration: every problem at once, each with its place."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing to put right.

    `file` is the path as it was given, or `environment NAME`. `line` counts from 1 and is None
    where there is none (an environment variable, a file that cannot be read). `path` is the dotted
    path of the value, empty when the whole file is meant. `message` says what is wrong and what to
    do.
    """

    file: str
    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.path, self.message) if part)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, by file and line."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line or 0)))


class ConfigurationProblems(Exception):
    """The configuration cannot be used; `problems` says why, by file and line. Exit code 78."""

    exit_code = 78

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
