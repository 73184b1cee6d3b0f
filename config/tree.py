"""Plain nested data by path: a path is the keys and positions that lead to a value."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from config.section import Atom

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """A path for people: `sources[0].name`, `models.'v1.*'.team`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            quoted = f"'{part}'" if not part or set(part) & set(".[] '\"") else part
            text += f".{quoted}" if text else quoted
    return text


def find(data: Any, path: Path) -> tuple[bool, Any]:
    """Whether data hold a value at `path`, and that value (None when not)."""
    for part in path:
        in_list = isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data)
        if not in_list and not (isinstance(data, Mapping) and part in data):
            return False, None
        data = data[part]
    return True, data


def replaced(data: Any, path: Path, value: Any) -> Any:
    """A copy of nested mappings with `value` at `path`; mappings are made where needed."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(data, list) and isinstance(first, int) and first < len(data):
        return [*data[:first], replaced(data[first], rest, value), *data[first + 1 :]]
    inner = dict(data) if isinstance(data, Mapping) else {}
    return {**inner, first: replaced(inner.get(first), rest, value)}


def without(data: Any, path: Path) -> Any:
    """A copy of nested mappings without what is at `path`, which has to be there."""
    first, rest = path[0], path[1:]
    if not rest:
        return {key: item for key, item in data.items() if key != first}
    return replaced(data, (first,), without(data[first], rest))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every setting of a model that has one origin: scalars, lists, and what is said in one text.

    In mappings from names to sections (rules by glob) only what somebody said is a setting.
    """
    if _is_section(value):
        for name, field in type(value).model_fields.items():
            yield from leaves(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from said(item, (*path, key))
    elif isinstance(value, tuple) and value and _is_section(value[0]):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def said(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Like `leaves`, of what was set only, not of defaults."""
    if _is_section(value):
        for name, field in type(value).model_fields.items():
            if name in value.model_fields_set:
                yield from said(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from said(item, (*path, key))
    else:
        yield path, value


def _is_section(value: Any) -> bool:
    return isinstance(value, BaseModel) and not isinstance(value, Atom)
