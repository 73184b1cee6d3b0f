"""From a file and the environment to settings, or to every problem at once."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import SecretStr

from config.assignments import NOTHING, Assignments, assign
from config.document import Document, read_document
from config.environment import Overridden, override
from config.errors import ConfigurationProblems, Problem, in_order
from config.including import Included, include
from config.interpolation import Interpolated, interpolate
from config.salvage import salvage
from config.settings import Settings
from config.shape import kinds_at
from config.team_files import TeamFile
from config.tree import Path, dotted, find, leaves, replaced

_BARE = "must not stand in the file: write ${file:/path} or ${env:NAME}"
FILE_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True)
class Loaded:
    """Settings and where they came from.

    `origins` tells for the dotted path of each setting `file:line`, `environment NAME`, `--set KEY`
    or `default`. `hash` is the SHA-256 (hex) of the effective configuration without secrets.
    `written` keeps the texts that hold `${file:}` or `${env:}` as they were written: only these may
    be shown.
    """

    settings: Settings
    origins: Mapping[str, str]
    hash: str
    written: Mapping[Path, str] = field(repr=False)
    places: "Places" = field(repr=False, compare=False)
    included: Included = field(default_factory=Included, repr=False, compare=False)

    def under(self, settings: Settings) -> "Loaded":
        """The same, with other settings in force, and their hash."""
        return replace(self, settings=settings, hash=_hash(_shown(settings, self.written)))

    def problem(self, path: Path, message: str) -> Problem:
        """What turned out later to be wrong with a setting, with its file and line."""
        return self.places.problem(path, message)

    def origin(self, path: Path) -> str:
        """Where a setting comes from; of a section, where the first of its settings does."""
        name = dotted(path)
        if name in self.origins:
            return self.origins[name]
        inside = (where for key, where in self.origins.items() if key.startswith(f"{name}."))
        return next(inside, "default")

    def shown(self) -> dict[str, Any]:
        """The settings as a file would say them, every secret as it was written or as `***`."""
        return _shown(self.settings, self.written)


@dataclass(frozen=True)
class Examined:
    """A configuration with all that is wrong with it, in the order of files and lines.

    `settings` are what is left without that, None when nothing can be said of it. `doubtful` are
    the paths that were left out for it: what depends on them is not known. What is wrong with files
    of teams is in `included`, and hinders nobody else.
    """

    settings: Settings | None
    problems: tuple[Problem, ...]
    doubtful: tuple[Path, ...]
    places: "Places" = field(repr=False)
    written: Mapping[Path, str] = field(repr=False)
    included: Included = field(default_factory=Included, repr=False)

    def with_problems(self, problems: tuple[Problem, ...]) -> "Examined":
        """The same, with these problems."""
        return replace(self, problems=problems)

    def loaded(self) -> Loaded:
        """The settings, if nothing is wrong. Raises ConfigurationProblems."""
        if self.problems or self.settings is None:
            raise ConfigurationProblems(self.problems)
        origins = {dotted(p): self.places.origin(p) for p, _ in leaves(self.settings)}
        hash_ = _hash(_shown(self.settings, self.written))
        return Loaded(
            self.settings, origins, hash_, self.written, self.places, included=self.included
        )


def load(path: FilePath | None, environ: Mapping[str, str], said: Assignments = NOTHING) -> Loaded:
    """Read a configuration file (None = nothing but defaults) with those that it includes, the
    environment's overrides, and what is `said` over both.

    Raises ConfigurationProblems with every problem found; a file of a team that is wrong is left
    out, and `included` says so.
    """
    return examine(path, environ, said).loaded()


def examine(
    path: FilePath | None,
    environ: Mapping[str, str],
    said: Assignments = NOTHING,
    *,
    root: Document | None = None,
    kept: Mapping[str, TeamFile] | None = None,
    refused: Iterable[Problem] = (),
) -> Examined:
    """As `load`, but what is wrong is a value, and what is left without it can be judged.

    `root` is what the root file is taken to say, in place of what it says now; `kept` are the files
    of teams that hold until now, each as long as what it says now is wrong; `refused` are problems
    with files of teams that were found later than here.
    """
    document = read_root(path) if root is None else root
    inner = interpolate(document.data, environ)
    outer = override(inner.data, environ)
    included = include(path, outer.data, document, kept or {}, refused)
    by_teams: Mapping[str, tuple[Document, str]] = {}
    if included.teams:
        models, by_teams = included.added_to(outer.data.get("models"))
        outer.data = {**outer.data, "models": models}
    assigned = assign(outer.data, said)
    outer.data = assigned.data
    outer.names |= assigned.names
    outer.problems += assigned.problems
    place = Places(document, outer, by_teams)
    problems = [*document.problems, *outer.problems]
    failed = [path for path, _ in inner.faults if not _under(path, outer.names)]
    problems += [place.problem(path, why) for path, why in inner.faults if path in failed]
    written = {path: text for path, text in inner.written.items() if not _under(path, outer.names)}
    unread = [p for p in document.unread if not _under(p, outer.names)]
    found = salvage(outer.data, written, [*failed, *unread])
    problems += [place.problem(p, why) for p, why in found.faults]
    problems += [place.problem(p, _BARE) for p in _bare_secrets(document, inner, outer)]
    doubtful = (*found.doubtful, *document.unread)
    return Examined(found.settings, in_order(problems), doubtful, place, written, included)


@dataclass(frozen=True)
class Places:
    """Finds the line, the variable or the option that a path comes from. `by_teams` tells of each
    glob that a team's file has said the document, and the glob there.
    """

    document: Document
    outer: Overridden
    by_teams: Mapping[str, tuple[Document, str]] = field(default_factory=dict)

    def problem(self, path: Path, message: str) -> Problem:
        """A problem with the file and line, the variable or the option that its path is from."""
        if self._is_by_team(path):
            document, there = self._in_team_file(path)
            return Problem(document.file, _line(document, there), dotted(there), message)
        name = _under(path, self.outer.names)
        if not name and path not in self.document.lines:  # a section that only a variable names
            name = next((n for n in self.outer.names if n[: len(path)] == path), ())
        if name:
            return Problem(self.outer.names[name], None, dotted(path), message)
        return Problem(self.document.file, _line(self.document, path), dotted(path), message)

    def origin(self, path: Path) -> str:
        """`file:line`, `environment NAME`, `--set KEY` or `default`."""
        said = _said(self.outer.data, path)
        if not said:
            return "default"
        if self._is_by_team(said):
            document, there = self._in_team_file(said)
            return f"{document.file}:{_line(document, there)}"
        name = _under(said, self.outer.names)
        if name:
            return self.outer.names[name]
        return f"{self.document.file}:{self.document.lines[said]}"

    def _is_by_team(self, path: Path) -> bool:
        return len(path) > 1 and path[0] == "models" and path[1] in self.by_teams

    def _in_team_file(self, path: Path) -> tuple[Document, Path]:
        document, glob = self.by_teams[str(path[1])]
        there = ("models", glob, *path[2:])
        is_team = path[2:] == ("team",) and there not in document.lines
        return document, ("team",) if is_team else there


def _line(document: Document, path: Path) -> int:
    """The line of a path, or of what is nearest above it."""
    known = path
    while known and known not in document.lines:
        known = known[:-1]
    return document.lines.get(known, 1)


def read_root(path: FilePath | None) -> Document:
    """The document in a file; an unreadable file is a problem of that document."""
    if path is None:
        return Document("defaults")
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
        if len(content) <= FILE_BYTES_MAX:
            return read_document(content.decode(), file)
        why = f"is larger than {FILE_BYTES_MAX} bytes"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        why = f"is not UTF-8 text (byte {error.start})"
    return Document(file, problems=[Problem(file, None, "", why)])


def _under(path: Path, roots: Iterable[Path]) -> Path:
    """The one of `roots` that is `path` or above it; empty when none is."""
    return next((root for root in roots if path[: len(root)] == root), ())


def _said(data: Any, path: Path) -> Path:
    """The path in the data that says what holds at `path`, empty when it is a default.

    A section may be said in one scalar or list (`prediction: value.score`), which then stands for
    everything below.
    """
    for length in range(1, len(path) + 1):
        there, value = find(data, path[:length])
        if not there:
            return ()
        if not isinstance(value, dict | list):
            return path[:length]
    return path


def _bare_secrets(document: Document, inner: Interpolated, outer: Overridden) -> list[Path]:
    """Secrets that stand in the file as they are."""
    elsewhere = {*inner.written, *(path for path, _ in inner.faults)}
    return [
        path
        for path in document.lines
        if SecretStr in kinds_at(Settings, path)
        and find(inner.data, path)[1] is not None
        and path not in elsewhere
        and not _under(path, outer.names)
    ]


def _shown(settings: Settings, written: Mapping[Path, str]) -> dict[str, Any]:
    """What files of teams say is among the models, so nothing is left to include."""
    data: dict[str, Any] = settings.model_dump(mode="json", by_alias=True) | {"include": []}
    data["models"] = {
        glob: rule.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for glob, rule in settings.models.items()
    }
    for path, value in leaves(settings):
        if isinstance(value, SecretStr):
            data = replaced(data, path, "***")
    for path, text in written.items():
        data = replaced(data, path, text)
    return data


def _hash(shown: Mapping[str, Any]) -> str:
    canonical = json.dumps(shown, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
