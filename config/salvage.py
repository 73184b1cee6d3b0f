"""What is left of a configuration without what is wrong with it, so that the rest can be judged.

A section with a fault is never looked at as a whole: how its values go together is not asked before
each of them is sound. So what is wrong is taken out, the rest is asked again, and so on, until
nothing is wrong. What is found then only because something was taken out is not told.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from config.settings import Settings
from config.tree import Path, dotted, find, replaced, without
from config.wording import Fault, faults

ROUNDS_MAX = 50
"""Each takes something out, so that few are needed. Then nothing is said of what is left."""


_SECURITY = ("kafka", "security")


class Salvaged(NamedTuple):
    """`settings` are what is left, None when that cannot be said. `doubtful` are the paths that
    were taken out, or stand-ins: what depends on them is not known.
    """

    settings: Settings | None
    faults: tuple[tuple[Path, str], ...]
    doubtful: tuple[Path, ...]


def salvage(data: dict[str, Any], written: Mapping[Path, str], unread: Iterable[Path]) -> Salvaged:
    """Every fault of the data, and what is left without them.

    `unread` are the paths of values that could not be read, of which somebody else has told.
    """
    doubtful: list[Path] = []
    told: dict[tuple[Path, str], None] = {}
    for path in unread:
        data = _mended(data, Fault(path, ""), doubtful)
    for _ in range(ROUNDS_MAX):
        settings, wrong = _validated(data, written)
        known = tuple(doubtful)
        told |= {(f.path, f.message): None for f in wrong if not follows(f.path, f.message, known)}
        if settings is not None or any(not fault.path for fault in wrong):
            return Salvaged(settings, tuple(told), known)
        before = len(doubtful)
        for fault in wrong:
            gone = doubtful[before:]  # with what another fault of this round has taken out
            if not any(fault.path[: len(other)] == other for other in gone):
                data = _mended(data, fault, doubtful)
    return Salvaged(None, tuple(told), tuple(doubtful))


def follows(path: Path, message: str, doubtful: Iterable[Path]) -> bool:
    """Whether a complaint may be there only because something else is wrong: it is of a value that
    is doubtful, or mentions one.
    """
    return any(
        path[: len(other)] == other
        or (_mentions(message, str(other[-1])) and not _apart(path, other))
        for other in doubtful
        if other
    )


def _validated(
    data: dict[str, Any], written: Mapping[Path, str]
) -> tuple[Settings | None, list[Fault]]:
    try:
        return Settings.model_validate(data, context={"from": "file"}), []
    except ValidationError as error:
        return None, faults(error.errors(include_url=False), data, written, Settings)


def _mended(data: Any, fault: Fault, doubtful: list[Path]) -> Any:
    """The data without what is at the path of a fault. What is not there is missed by something:
    by what beside it is mentioned, else by all of the section.
    """
    path = fault.path
    if path[:1] == ("sources",) and (len(path) == 2 or path[2:] == ("name",)):
        return _with_stand_in(data, path, doubtful)
    doubtful.append(path)
    above = next((path[:n] for n in range(len(path), 0, -1) if find(data, path[:n])[0]), ())
    if not above:
        return data
    if len(above) == len(path) - 1:
        _, section = find(data, above)
        beside = [key for key in section if _mentions(fault.message, str(key))]
        if isinstance(section, Mapping) and beside:
            doubtful += [(*above, key) for key in beside]
            for key in beside:
                data = without(data, (*above, key))
            return data
    if above[:-1] == _SECURITY and above[-1] in {"protocol", "mechanism"}:
        above = _SECURITY  # all else in there depends on them
    while isinstance(above[-1], int):  # an item; the others would have other positions without it
        above = above[:-1]
    doubtful.append(above)
    return without(data, above)


def _with_stand_in(data: Any, path: Path, doubtful: list[Path]) -> Any:
    """A source keeps its position, and what is sound of it: it is given a name, or a topic, or is
    replaced as a whole when that was not enough.
    """
    source, here = path[:2], dotted(path[:2])
    _, given = find(data, source)
    if len(path) == 3 and isinstance(given, dict):
        doubtful.append(path)
        return replaced(data, path, here)
    places = [(*source, key) for key in ("topics", "files", "path_pattern")]
    if isinstance(given, dict) and places[0] not in doubtful:
        doubtful += places
        kept = {k: v for k, v in given.items() if k not in {"files", "path_pattern"}}
        return replaced(data, source, kept | {"topics": [here]})
    doubtful.append(source)
    return replaced(data, source, {"name": here, "topics": [here]})


def _apart(path: Path, other: Path) -> bool:
    """Whether two paths belong to two sources, or to two models."""
    listed = path[:1] == other[:1] and path[:1] in {("sources",), ("models",)}
    return listed and path[:2] != other[:2]


def _mentions(message: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}s?\b", message) is not None
