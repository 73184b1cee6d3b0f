"""Can the references be read, and is each where its model looks for it?"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path as FilePath

from config.settings import Settings
from config.tree import Path
from service.commands.findings import Finding
from service.commands.partly_watched import partly_watched
from service.commands.unused_order import unused_order
from service.errors import ConfigurationError
from service.monitor.references.directory import readings
from service.values.references import Reference

_BYTE = re.compile(r" \(byte (\d+)\)$")

Found = Mapping[FilePath, Reference]
"""References by the file that they are in."""


def read_references(settings: Settings, doubtful: Sequence[Path]) -> tuple[Found, list[Finding]]:
    """Every sound reference of every directory, and what is wrong with the others.

    A directory that somebody named has to be there; the default one may be missing.
    """
    named = settings.reference_directories
    findings = [
        Finding(path, f"{directory} is no directory; make it, or take the line out")
        for path, directory in named.items()
        if not directory.is_dir()
    ]
    directory = settings.reference.directory
    default = () if ("reference", "from") in doubtful or directory is None else (directory,)
    found: dict[FilePath, Reference] = {}
    for directory in dict.fromkeys((*default, *named.values())):
        if not directory.is_dir():
            continue
        if not os.access(directory, os.R_OK | os.X_OK):
            why = f"{directory} cannot be read by this user: grant it read access"
            findings += [Finding(p, why) for p, d in named.items() if d == directory]
            continue
        for file, outcome in readings(directory):
            if isinstance(outcome, Reference):
                found[file] = outcome
            else:
                findings.append(_unsound(file, outcome))
    return found, findings


def place_hints(settings: Settings, found: Found) -> Iterator[Finding]:
    """References that no model looks for where they are, or that are not watched as a whole.

    And directories that were named in vain.
    """
    for file, reference in found.items():
        looks_in = settings.for_model(reference.model).reference
        if looks_in.directory != file.parent:
            why = f"nobody uses it: model {reference.model} looks in {looks_in.place}"
            yield Finding((), f"{why}; move the file there", is_hint=True, file=str(file))
        for part in partly_watched(settings, [reference]):
            yield Finding((), part.sentences(), is_hint=True, file=str(file))
        for words in unused_order(settings, [reference]):
            yield Finding((), words, is_hint=True, file=str(file))
    for path, directory in settings.reference_directories.items():
        if path[0] != "models" or not directory.is_dir():
            continue
        models = {r.model for file, r in found.items() if file.parent == directory}
        if not any(fnmatchcase(model, str(path[1])) for model in models):
            have = f"has those of {', '.join(sorted(models))}" if models else "is empty"
            why = f"{directory} has no reference of a model like {path[1]}, it {have}"
            yield Finding(path, f"{why}: such a model learns from its first events", is_hint=True)


def glob_hints(settings: Settings, found: Found) -> Iterator[Finding]:
    """Rules for models, or for features of models, whose glob matches nothing that is known.

    Without any reference nothing is known. Of features to be ignored none is expected.
    """
    models = sorted({reference.model for reference in found.values()})
    for glob, rule in settings.models.items() if models else ():
        if not any(fnmatchcase(model, glob) for model in models):
            why = "matches no model that has a reference; these have"
            yield Finding(("models", glob), f"{why}: {', '.join(models)}", is_hint=True)
            continue
        features = {
            stream.key.name
            for reference in found.values()
            if fnmatchcase(reference.model, glob)
            for stream in reference.streams
        }
        for inner, feature in rule.features.items():
            if not feature.ignore and not any(fnmatchcase(name, inner) for name in features):
                why = "matches no feature in the references of these models"
                path = ("models", glob, "features", inner)
                yield Finding(path, f"{why}: is the name right?", is_hint=True)


def _unsound(file: FilePath, error: ConfigurationError) -> Finding:
    why = str(error).removeprefix(f"{file}: ")
    at, cut = _BYTE.search(why), why == "Input data was truncated"
    if at is None and not cut:
        return Finding((), why, file=str(file))
    before = file.read_bytes()[: int(at[1]) if at else None]
    why = "ends too early" if cut else _BYTE.sub("", why)
    again = f"{why}: restore the file, or build the reference again"
    return Finding((), again, file=str(file), line=before.count(b"\n") + 1)
