"""One file a team: its name, and the rules of its own models."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.document import Document, read_document
from config.errors import Problem
from config.salvage import salvage
from config.tree import Path, dotted, find

KEYS = ("version", "team", "models")


@dataclass(frozen=True)
class TeamFile:
    """A sound file: its text, and `models`, its rules by glob, each with the team in it."""

    document: Document = field(repr=False)
    team: str
    models: Mapping[str, Any]
    text: str = field(repr=False)

    @property
    def file(self) -> str:
        """The path as problems name it."""
        return self.document.file

    def problem(self, glob: str, message: str) -> Problem:
        """What is wrong with the rule of a glob, with its line."""
        path = ("models", glob)
        return Problem(self.file, self.document.lines.get(path), dotted(path), message)


def read_team_file(
    text: str, file: str, detection: Any
) -> tuple[TeamFile | None, tuple[Problem, ...]]:
    """The file, or None and all that is wrong with it. `detection` is that section of the root
    file, which windows have to go with.
    """
    document = read_document(text, file)
    team, models = document.data.get("team"), document.data.get("models")
    if document.problems:
        return None, tuple(document.problems)
    problems = [*_placed(document, _faults(document.data))]
    if isinstance(models, Mapping) and isinstance(team, str):
        rules = {g: _with_team(rule, team) for g, rule in models.items()}
        data = {"models": rules} | ({} if detection is None else {"detection": detection})
        found = salvage(data, {}, [])
        problems += _placed(document, (f for f in found.faults if f[0][:1] == ("models",)))
        if not problems:
            return TeamFile(document, team, rules, text), ()
    return None, tuple(dict.fromkeys(problems))


def _with_team(rule: Any, team: str) -> Any:
    """A rule that says nothing is one all the same."""
    if rule is None:
        return {"team": team}
    return {**rule, "team": team} if isinstance(rule, Mapping) else rule


def _faults(data: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for key in data:
        if key not in KEYS:
            why = "is for the root file: a team's file may say team, and models of its own"
            yield (key,), why
    if data.get("version", 1) != 1:
        yield ("version",), "must be 1"
    team = data.get("team")
    if not isinstance(team, str) or not team.strip():
        yield ("team",), "must say whose models these are, for example team: retail-credit"
    models = data.get("models")
    if not isinstance(models, Mapping):
        yield ("models",), "must be a mapping from the names of models (or globs) to their rules"
        return
    for glob, rule in models.items():
        other = rule.get("team") if isinstance(rule, Mapping) else None
        if other is not None and other != team:
            why = f"is of team {team}, whose file this is; models of {other} belong into its own"
            yield ("models", glob, "team"), why
    yield from _references(data, ())


def _references(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """A team's file may not read what only the service may."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _references(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _references(item, (*path, position))
    elif isinstance(value, str) and re.search(r"(?<!\$)\$\{", value):
        yield path, "${file:} and ${env:} are for the root file: write the value itself"


def _placed(document: Document, faults: Any) -> Iterator[Problem]:
    for path, why in faults:
        known: Path = path
        while known and known not in document.lines:
            known = known[:-1]
        there, _ = find(document.data, path)
        line = document.lines.get(known, 1) if there or known else 1
        yield Problem(document.file, line, dotted(path), why)
