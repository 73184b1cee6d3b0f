"""Which files of teams hold together: each says only its own models, and a bad one stops nobody.

A file that is wrong, or reaches into models of another team, is refused alone; what it said last
goes on to hold, if it is known. Of files that contradict each other those stay that held before,
then those that contradict fewest, then those whose name comes first.
"""

import glob as file_globs
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path as FilePath
from typing import Any

from config.document import Document
from config.errors import Problem, in_order
from config.overlap import common_name
from config.team_files import TeamFile, read_team_file
from config.tree import dotted

FILE_BYTES_MAX = 1024 * 1024
FILES_MAX = 1000


@dataclass(frozen=True)
class Included:
    """`teams` are the files in force, by path; `is_ok` tells of every file that is there whether it
    is in force as it is now. `problems` say why one is not.
    """

    teams: Mapping[str, TeamFile] = field(default_factory=dict)
    is_ok: Mapping[str, bool] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def added_to(self, models: Any) -> tuple[dict[str, Any], dict[str, tuple[Document, str]]]:
        """The rules of the root file, then those of teams; and of each of these where it stands, as
        document and glob. A glob that stands in both is spelled in another way.
        """
        merged = dict(models) if isinstance(models, Mapping) else {}
        places: dict[str, tuple[Document, str]] = {}
        for team in self.teams.values():
            for glob, rule in team.models.items():
                name = glob if glob not in merged else respelled(glob, merged)
                merged[name] = rule
                places[name] = (team.document, glob)
        return merged, places


NOTHING_INCLUDED = Included()


def include(
    root: FilePath | None,
    data: Mapping[str, Any],
    lines: Document,
    kept: Mapping[str, TeamFile],
    refused: Iterable[Problem] = (),
) -> Included:
    """The files that `include` of the root file names, `kept` being those that held before.
    `refused` are problems that somebody else has found with some of them.
    """
    patterns = data.get("include")
    if root is None or not isinstance(patterns, list):
        return Included()
    files = _files(root, [one for one in patterns if isinstance(one, str) and one])
    if len(files) > FILES_MAX:
        line, where = lines.lines.get(("include",)), str(root)
        why = f"names {len(files)} files; at most {FILES_MAX} are read"
        return Included(problems=(Problem(where, line, "include", why),))
    problems = list(refused)
    known_bad = {problem.file for problem in problems}
    read: dict[str, TeamFile] = {}
    for file in files:
        found, wrong = _read(file, data.get("detection"))
        problems += wrong
        if found is not None and file not in known_bad:
            read[file] = found
    known = {file: team for file, team in kept.items() if file in files}
    teams, contradicted = _agreed(read, known, _owned(data.get("models"), lines))
    problems += contradicted
    is_ok = {file: file in read and teams.get(file) is read[file] for file in files}
    return Included({f: teams[f] for f in files if f in teams}, is_ok, in_order(problems))


def contents_hash(root: FilePath, patterns: Sequence[str]) -> bytes:
    """Of all that the root file and those that it includes hold now, to see whether it changes."""
    found = blake2b(digest_size=16)
    for file in (str(root), *_files(root, patterns)):
        try:
            with FilePath(file).open("rb") as stream:
                content = stream.read(4 * FILE_BYTES_MAX)
        except OSError as error:
            content = str(error).encode()
        found.update(b"%d %d " % (len(file), len(content)) + file.encode() + content)
    return found.digest()


def respelled(glob: str, taken: Container[str]) -> str:
    """Another glob that matches the same names; the same where there is none."""
    stars = (glob.replace("*", "*" * number, 1) for number in range(2, 100))
    letters = (
        f"{glob[:position]}[{letter}]{glob[position + 1 :]}"
        for position, letter in enumerate(glob.partition("[")[0])
        if letter not in "*?"
    )
    return next((other for other in (*letters, *stars) if other not in taken), glob)


def _files(root: FilePath, patterns: Iterable[str]) -> list[str]:
    """Paths as they are told, by name; what is hidden, as the own folders of a ConfigMap are, is
    left out, and so is the root file.
    """
    directory = root.parent
    found = {
        str(directory / name)
        for pattern in patterns
        # Path.glob would also find what is hidden.
        for name in file_globs.glob(pattern, root_dir=directory, recursive=True)  # noqa: PTH207
    }
    return sorted(f for f in found if FilePath(f).is_file() and not _same_file(f, root))


def _same_file(file: str, root: FilePath) -> bool:
    try:
        return FilePath(file).samefile(root)
    except OSError:
        return False


def _read(file: str, detection: Any) -> tuple[TeamFile | None, tuple[Problem, ...]]:
    try:
        with FilePath(file).open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            return None, (Problem(file, None, "", f"is larger than {FILE_BYTES_MAX} bytes"),)
        return read_team_file(content.decode(), file, detection)
    except OSError as error:
        return None, (Problem(file, None, "", f"cannot be read: {error.strerror}"),)
    except UnicodeDecodeError as error:
        why = f"is not UTF-8 text (byte {error.start})"
        return None, (Problem(file, None, "", why),)


@dataclass(frozen=True)
class _Claim:
    """A glob that stands somewhere, and whose models it is about."""

    glob: str
    team: str
    where: str


def _owned(models: Any, lines: Document) -> list[_Claim]:
    """What the root file gives to teams by name; a glob of stars alone is a default for all."""
    claims = []
    for glob, rule in models.items() if isinstance(models, Mapping) else ():
        team = rule.get("team") if isinstance(rule, Mapping) else None
        if isinstance(team, str) and glob.strip("*"):
            line = lines.lines.get(("models", glob), 1)
            claims.append(_Claim(glob, team, f"{lines.file}:{line}"))
    return claims


def _claims(team: TeamFile) -> list[_Claim]:
    return [
        _Claim(glob, team.team, f"{team.file}:{team.document.lines.get(('models', glob), 1)}")
        for glob in team.models
    ]


def _agreed(
    read: Mapping[str, TeamFile], kept: Mapping[str, TeamFile], owned: Sequence[_Claim]
) -> tuple[dict[str, TeamFile], list[Problem]]:
    """The files that hold, and why others do not."""
    problems = [p for team in read.values() for p in _conflicts(team, owned)]
    foreign = {p.file for p in problems}
    new = {f: t for f, t in read.items() if f not in foreign and not _is_same(t, kept.get(f))}
    standing = {f: t for f, t in kept.items() if f not in new and not [*_conflicts(t, owned)]}
    standing |= {f: read[f] for f in standing if f in read and f not in foreign}
    while True:
        refused = _contradicted(new, standing)
        if refused is None:
            return {**standing, **new}, problems
        file, told = refused
        problems += told
        del new[file]
        if file in kept and not [*_conflicts(kept[file], owned)]:
            standing[file] = kept[file]


def _contradicted(
    new: Mapping[str, TeamFile], standing: Mapping[str, TeamFile]
) -> tuple[str, list[Problem]] | None:
    """The next file to be refused, and why: one that reaches into what holds already, else the one
    that contradicts most others, of equals the last by name.
    """
    for file, team in new.items():
        others = [claim for f, t in standing.items() if f != file for claim in _claims(t)]
        told = [*_conflicts(team, others)]
        if told:
            return file, told
    found = {
        file: [[*_conflicts(team, _claims(other))] for f, other in new.items() if f != file]
        for file, team in new.items()
    }
    counts = Counter({file: sum(map(bool, told)) for file, told in found.items()})
    most = max(counts, key=lambda file: (counts[file], file), default=None)
    if most is None or not counts[most]:
        return None
    return most, [problem for told in found[most] for problem in told]


def _conflicts(team: TeamFile, others: Iterable[_Claim]) -> Iterator[Problem]:
    foreign = [claim for claim in others if claim.team != team.team]
    for glob in team.models:
        for claim in foreign:
            name = common_name(glob, claim.glob)
            if name is not None:
                yield team.problem(
                    glob,
                    f"reaches into the models of team {claim.team}: {claim.where} has "
                    f"{dotted((claim.glob,))}, and both match {dotted((name,))}",
                )


def _is_same(team: TeamFile, before: TeamFile | None) -> bool:
    return before is not None and (team.team, team.models) == (before.team, before.models)
