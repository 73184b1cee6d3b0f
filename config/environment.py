"""Overrides from the environment: `ANCHORWATCH_KAFKA__GROUP=x` sets `kafka.group`.

Two underscores stand between the parts. Texts are taken as they are; everything else is read as
YAML (`ANCHORWATCH_DETECTION__WINDOWS="[5m, 1h]"`). Lists and mappings are set as a whole:
`ANCHORWATCH_SOURCES="[{name: a, topics: [t], format: native}]"`.

Variables that name no section are not ours and are ignored: Kubernetes sets ANCHORWATCH_PORT and
ANCHORWATCH_SERVICE_HOST by itself when a Service is called anchorwatch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from textwrap import indent
from typing import Any, get_origin

from pydantic import BaseModel, SecretStr

from config.document import read_document
from config.errors import Problem
from config.section import Atom
from config.shape import keys_of, kinds_at, sections_at
from config.tree import Path, dotted, replaced

PREFIX = "ANCHORWATCH_"
_TEXTS = (str, SecretStr, FilePath)


@dataclass
class Overridden:
    """Data with the environment's values in them. `names`: which variable set which path."""

    data: dict[str, Any]
    names: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def variable(path: Path) -> str:
    """The name of the variable that sets `path`."""
    return PREFIX + "__".join(str(part).upper() for part in path)


def override(data: dict[str, Any], environ: Mapping[str, str], root: type[BaseModel]) -> Overridden:
    """Put the values of the environment into `data`, shorter paths first."""
    result = Overridden(data)
    ours = sorted((path, name) for name, path in _ours(environ, root))
    for path, name in ours:
        value: Any = environ[name]
        place = f"environment {name}"
        if "__" not in name and len(path) == 2:
            message = f"has one underscore where two belong: {variable(path)}"
            result.problems.append(Problem(place, None, dotted(path), message))
            continue
        inside = _inside_of_a_whole(path, root)
        if inside:
            message = f"is set as a whole: {variable(inside)}, as YAML"
            result.problems.append(Problem(place, None, dotted(path), message))
            continue
        if not _is_text(path, root):
            document = read_document("value:\n" + indent(value, "  "), place)
            result.problems += [
                Problem(place, None, dotted(path), p.message) for p in document.problems
            ]
            value = document.data.get("value")
        result.data = replaced(result.data, path, value)
        result.names[path] = name
    return result


def _ours(environ: Mapping[str, str], root: type[BaseModel]) -> Iterator[tuple[str, Path]]:
    """Variables that are meant for us, with the path that each sets."""
    joined = {
        f"{section}_{key}": (section, key)
        for section in keys_of(root)
        for inner in sections_at(root, (section,))
        for key in keys_of(inner)
    }
    for name in environ:
        if not name.startswith(PREFIX):
            continue
        rest = name.removeprefix(PREFIX).lower()
        if "__" in rest or (rest in keys_of(root) and rest != "version"):
            yield name, tuple(rest.split("__"))
        elif rest in joined:
            yield name, joined[rest]


def _inside_of_a_whole(path: Path, root: type[BaseModel]) -> Path:
    """The list or mapping that `path` leads into, empty when it leads into none."""
    for length in range(1, len(path)):
        kinds = kinds_at(root, path[:length])
        if any(get_origin(kind) is not None or kind_is_atom(kind) for kind in kinds):
            return path[:length]
    return ()


def kind_is_atom(kind: Any) -> bool:
    """True for values of several parts that are said in one text."""
    return isinstance(kind, type) and issubclass(kind, Atom)


def _is_text(path: Path, root: type[BaseModel]) -> bool:
    kinds = kinds_at(root, path)
    return bool(kinds) and all(kind in _TEXTS or kind_is_atom(kind) for kind in kinds)
