"""What the models expect at a path: asked where pydantic's own errors are too short."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from config.section import Atom
from config.tree import Path


def kinds_at(root: Any, path: Path) -> tuple[Any, ...]:
    """The types that may stand at `path` below the type `root`; empty where nothing may."""
    kinds = tuple(_alternatives(root))
    for part in path:
        kinds = tuple(
            found for kind in kinds for inner in _step(kind, part) for found in _alternatives(inner)
        )
    return kinds


def sections_at(root: Any, path: Path) -> tuple[type[BaseModel], ...]:
    """The models that may stand at `path`."""
    return tuple(kind for kind in kinds_at(root, path) if _is_section(kind))


def keys_of(section: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a section as a file names them."""
    return tuple(field.alias or name for name, field in section.model_fields.items())


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, Atom)


def _alternatives(kind: Any) -> Iterator[Any]:
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif origin in {Union, UnionType}:
        for inner in get_args(kind):
            yield from _alternatives(inner)
    elif kind is not type(None):
        yield kind


def _step(kind: Any, part: str | int) -> Iterator[Any]:
    if _is_section(kind):
        for name, field in kind.model_fields.items():
            if part == (field.alias or name):
                yield field.annotation
    elif isinstance(part, int) and get_origin(kind) in {tuple, list}:
        yield get_args(kind)[0]
    elif isinstance(part, str) and get_origin(kind) in {dict, Mapping}:
        yield get_args(kind)[1]
