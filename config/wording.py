"""Validation errors in plain words: what is wrong, what was there, what to write instead."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import ErrorDetails

from config.document import flow
from config.section import Misfit
from config.shape import keys_of, kinds_at, sections_at
from config.tree import Path, find

SHOWN_MAX = 60

_PLAIN = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "path_type": "must be a path",
    "mapping_type": "must be a mapping (key: value)",
    "dict_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "model_attributes_type": "must be a mapping (key: value)",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "date_type": "must be a date such as 2026-12-31",
    "date_parsing": "must be a date such as 2026-12-31",
    "date_from_datetime_parsing": "must be a date such as 2026-12-31",
    "string_too_short": "must not be empty",
    "missing": "is needed",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong at a path. `of_type`: only the kind of value is wrong."""

    path: Path
    message: str
    of_type: bool = False


def faults(
    errors: list[ErrorDetails], data: Any, written: Mapping[Path, str], root: type[BaseModel]
) -> list[Fault]:
    """One fault for each path that is wrong, in the order of the errors.

    Where a value may take several forms, pydantic complains about each: complaints about the same
    path become one (`must be a mapping or a list`), and a complaint about the form is dropped when
    another tells what is wrong inside of the form that was meant.
    """
    found = [fault for error in errors for fault in _of_error(error, data, root)]
    deep = [fault.path for fault in found]
    messages: dict[Path, list[str]] = {}
    for fault in found:
        inside = any(p[: len(fault.path)] == fault.path and p != fault.path for p in deep)
        if not (fault.of_type and inside):
            known = messages.setdefault(fault.path, [])
            known += [fault.message] if fault.message not in known else []
    return [
        Fault(path, _either(told) + _was(path, told, data, written, root))
        for path, told in messages.items()
    ]


def unknown_key(path: Path, root: type[BaseModel]) -> str:
    """What to say of a key that no section has: the nearest name, or that it comes later."""
    key = str(path[-1])
    sections = sections_at(root, path[:-1])
    if any(key in getattr(section, "later", ()) for section in sections):
        return "comes with a later version and has no effect in this one; take it out"
    keys = [known for section in sections for known in keys_of(section)]
    nearest = difflib.get_close_matches(key, keys, n=1, cutoff=0.6)
    if nearest:
        return f"unknown key. Did you mean {nearest[0]}?"
    return f"unknown key. Known here: {', '.join(keys)}" if keys else "unknown key"


def _of_error(error: ErrorDetails, data: Any, root: type[BaseModel]) -> Iterator[Fault]:
    kind, context = error["type"], error.get("ctx", {})
    path = _within(error["loc"], data, keep_last=kind == "missing")
    cause = context.get("error")
    if kind == "extra_forbidden":
        yield Fault(path, unknown_key(path, root))
    elif isinstance(cause, Misfit):
        for key, why in cause.faults:
            yield Fault((*path, *key), why)
    else:
        yield Fault(path, _message(error), of_type=kind.endswith("_type"))


def _message(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if "error" in context:
        return str(context["error"])
    if kind == "literal_error":
        return "must be one of " + str(context["expected"]).replace("'", "").replace(" or ", ", ")
    if kind == "too_short":
        return f"must have at least {context['min_length']} of them"
    if kind == "too_long":
        return f"must have at most {context['max_length']} of them"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters"
    return _PLAIN.get(kind, error["msg"][:1].lower() + error["msg"][1:])


def _within(loc: Path, data: Any, *, keep_last: bool) -> Path:
    """The part of pydantic's location that is a path in the data (it also names forms tried)."""
    path: Path = ()
    for position, part in enumerate(loc):
        there, _ = find(data, (*path, part))
        if there or (keep_last and position == len(loc) - 1):
            path = (*path, part)
    return path


def _either(messages: list[str]) -> str:
    first, *others = messages
    return " or ".join([first, *(message.removeprefix("must be ") for message in others)])


def _was(
    path: Path,
    messages: list[str],
    data: Any,
    written: Mapping[Path, str],
    root: type[BaseModel],
) -> str:
    """` (it is 7)`, where that helps and tells no secret."""
    there, value = find(data, path)
    is_secret = any(kind is SecretStr for kind in kinds_at(root, path))
    telling = any(message.startswith("must") for message in messages)
    if not there or not telling or is_secret or isinstance(value, dict | list):
        return ""
    shown = written.get(path, value)
    text = flow(shown)
    return f" (it is {text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + '…'})"
