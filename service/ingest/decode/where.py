"""Where a part of an event sits: the places of a mapping, parsed once, read by closures.

    value.a.b          a field (quotes around a name with dots: value."a.b"; numbers index lists)
    header.x           the last header of that name
    key                the record's key
    topic.<group>      a named group of the topic's pattern
    path.<group>       a named group of the file's path
    record.timestamp   Kafka's time of the record
    "text"             a constant
    {header.x}/{value.y}#{row}   a template of these
    a list of places   the first that is there

What is null or absent is not there: every closure gives None for it.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from service.errors import ConfigurationError
from service.ingest.decode.scalars import text_of
from service.values.records import Record


class Envelope(NamedTuple):
    """A record with its value decoded; `row` is the row's position within it."""

    value: Any
    record: Record
    topic: str
    row: int = 0


Read = Callable[[Envelope], Any]


class Origin(NamedTuple):
    """What a source's expressions may refer to, and the name of the setting for messages."""

    place: str
    topic_pattern: str | None = None
    path_pattern: str | None = None
    row: bool = False


class ValuePath(NamedTuple):
    """Keys from the value downwards; none is the value itself."""

    segments: tuple[str, ...]


class Constant(NamedTuple):
    """A text that is always there."""

    text: str


class Outside(NamedTuple):
    """A place outside of the value, or a template."""

    read: Read


Place = ValuePath | Constant | Outside

_SEGMENT = re.compile(r'\.(?:"([^"]*)"|([^."{}]+))')
_HOLE = re.compile(r"\{([^{}]*)\}")


def parse(expression: str, origin: Origin) -> Place:
    """One place. Raises ConfigurationError with the position of what cannot be read."""
    if expression.startswith('"'):
        return Constant(_constant(expression, origin))
    if "{" in expression or "}" in expression:
        return Outside(_template(expression, origin))
    if expression == "value" or expression.startswith("value."):
        return ValuePath(_segments(expression, len("value"), origin))
    return Outside(_outside(expression, origin))


def parse_all(expressions: tuple[str, ...], origin: Origin) -> tuple[Place, ...]:
    """A list of places."""
    return tuple(parse(expression, origin) for expression in expressions)


def reader(places: tuple[Place, ...]) -> Read:
    """The closure that reads the first of the places that is there, else None."""
    reads = [_read(place) for place in places]
    if len(reads) == 1:
        return reads[0]

    def first(envelope: Envelope) -> Any:
        for read in reads:
            found = read(envelope)
            if found is not None:
                return found
        return None

    return first


def compile_where(expressions: tuple[str, ...], origin: Origin) -> Read:
    """Parse and compile a list of places. Raises ConfigurationError."""
    return reader(parse_all(expressions, origin))


def inside(value: Any, segments: tuple[str, ...]) -> Any:
    """What is at the end of a path of keys and list positions; None when it is not there."""
    for segment in segments:
        if type(value) is dict:
            value = value.get(segment)
        elif type(value) is list and segment.isdecimal() and len(segment) < 10:
            position = int(segment)
            value = value[position] if position < len(value) else None
        else:
            return None
    return value


def _read(place: Place) -> Read:
    if isinstance(place, Outside):
        return place.read
    if isinstance(place, Constant):
        text = place.text
        return lambda _: text
    segments = place.segments
    if len(segments) == 1 and not segments[0].isdecimal():
        (key,) = segments
        return lambda envelope: envelope.value.get(key) if type(envelope.value) is dict else None
    return lambda envelope: inside(envelope.value, segments)


def _fail(expression: str, position: int, problem: str, origin: Origin) -> ConfigurationError:
    return ConfigurationError(f"{origin.place}: {expression!r}: {problem} at position {position}")


def _constant(expression: str, origin: Origin) -> str:
    end = expression.find('"', 1)
    if end != len(expression) - 1:
        position = len(expression) if end < 0 else end + 1
        raise _fail(expression, position, "a constant ends with its second quote", origin)
    return expression[1:-1]


def _segments(expression: str, start: int, origin: Origin) -> tuple[str, ...]:
    segments = []
    position = start
    while position < len(expression):
        match = _SEGMENT.match(expression, position)
        if match is None:
            raise _fail(expression, position, 'expected .name or ."a name"', origin)
        segments.append(match[1] if match[1] is not None else match[2])
        position = match.end()
    return tuple(segments)


def _outside(expression: str, origin: Origin) -> Read:
    kind, dot, name = expression.partition(".")
    if expression == "key":
        return lambda envelope: _decoded(envelope.record.key)
    if expression == "record.timestamp":
        return lambda envelope: envelope.record.timestamp_seconds
    if expression == "row" and origin.row:
        return lambda envelope: envelope.row
    if kind == "header" and name:
        return lambda envelope: _header(envelope.record, name)
    if kind == "topic" and dot:
        pattern = origin.topic_pattern and rf"\A(?:{origin.topic_pattern})\Z"  # the whole name
        return _group(expression, name, pattern, "topics: {pattern: ...}", origin)
    if kind == "path" and dot:
        return _group(expression, name, origin.path_pattern, "path_pattern", origin)
    known = 'value..., header.<name>, key, topic.<group>, path.<group>, record.timestamp, "text"'
    raise _fail(expression, 0, f"no such place (there are {known})", origin)


def _header(record: Record, name: str) -> str | None:
    for header, value in reversed(record.headers):
        if header == name:
            return _decoded(value)
    return None


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _group(expression: str, name: str, pattern: str | None, setting: str, origin: Origin) -> Read:
    compiled = re.compile(pattern or "")
    if name not in compiled.groupindex:
        groups = ", ".join(compiled.groupindex) or "none"
        position = expression.find(".") + 1
        error = _fail(expression, position, f"no group {name!r} (there are: {groups})", origin)
        raise ConfigurationError(f"{error}; a group is named in {setting} by (?P<{name}>...)")

    @lru_cache(maxsize=1024)
    def group(topic: str) -> str | None:
        match = compiled.search(topic)
        return match[name] if match else None

    return lambda envelope: group(envelope.topic)


def _template(expression: str, origin: Origin) -> Read:
    pieces: list[Read] = []
    position = 0
    for hole in _HOLE.finditer(expression):
        pieces.append(_literal(expression, position, hole.start(), origin))
        pieces.append(_read(parse(hole[1], origin)))
        position = hole.end()
    pieces.append(_literal(expression, position, len(expression), origin))

    def fill(envelope: Envelope) -> str | None:
        texts = [text_of(piece(envelope)) for piece in pieces]
        return None if None in texts else "".join(text for text in texts if text is not None)

    return fill


def _literal(expression: str, start: int, end: int, origin: Origin) -> Read:
    text = expression[start:end]
    for brace in "{}":
        if brace in text:
            raise _fail(
                expression, start + text.index(brace), f"a {brace!r} without its pair", origin
            )
    return lambda _: text
