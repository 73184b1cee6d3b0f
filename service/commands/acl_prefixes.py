"""What of a regular expression a grant in Kafka can mean: a name, or all names of one beginning."""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from re import _parser  # type: ignore[attr-defined]  # the only reader of its grammar there is
from typing import Any

from msgspec import Struct

ALTERNATIVES_MAX = 20
"""Of one pattern; more are cut down to what they begin with."""

_DOT = re.compile(r"(?<!\\)\.(?![*+?{])")


class Rest(Enum):
    """What may follow the fixed beginning of a name."""

    NOTHING = "nothing"
    ANYTHING = "anything"
    SOMETHING = "something"


class Beginning(Struct, frozen=True):
    """Names that are `text`, or begin with it. A prefixed grant means ANYTHING behind it: where
    only SOMETHING may follow it reaches further than the pattern.
    """

    text: str
    rest: Rest


def beginnings(pattern: str) -> tuple[Beginning, ...]:
    """What the names that a pattern matches as a whole begin with, one for each alternative.

    A text that is empty means that names of any beginning match: there is no prefix.
    """
    parsed = _parser.parse(pattern)
    if parsed.state.flags & re.IGNORECASE:
        return (Beginning("", Rest.SOMETHING),)
    found = tuple(dict.fromkeys(_joined(list(parsed))))
    if len(found) > ALTERNATIVES_MAX:
        return (Beginning(_common(one.text for one in found), Rest.SOMETHING),)
    return found


def with_literal_dots(pattern: str) -> str | None:
    r"""The pattern with `\.` for every dot that stands for any one character; None without one."""
    escaped = _DOT.sub(r"\\.", pattern)
    return None if escaped == pattern else escaped


def _joined(steps: Sequence[Any]) -> list[Beginning]:
    """The beginnings of steps that follow each other."""
    found = [Beginning("", Rest.NOTHING)]
    for position, step in enumerate(steps):
        ways = list(_ways(step, is_last=position + 1 == len(steps)))
        grown = []
        for before in found:
            if before.rest is Rest.NOTHING:
                grown += [Beginning(before.text + way.text, way.rest) for way in ways]
            else:
                # `.*` in the midst: what follows it is no longer anything.
                grown.append(Beginning(before.text, Rest.SOMETHING))
        found = grown
        if len(found) > ALTERNATIVES_MAX:
            return [Beginning(_common(one.text for one in found), Rest.SOMETHING)]
    return found


def _ways(step: Any, *, is_last: bool) -> Iterator[Beginning]:
    """What one step of a parsed pattern may be."""
    name, argument = str(step[0]), step[1]
    if name == "LITERAL":
        yield Beginning(chr(argument), Rest.NOTHING)
    elif name == "IN" and all(str(member[0]) == "LITERAL" for member in argument):
        for _, code in argument:
            yield Beginning(chr(code), Rest.NOTHING)
    elif name == "SUBPATTERN" and not argument[1] & re.IGNORECASE:
        yield from _joined(list(argument[3]))
    elif name == "BRANCH":
        for branch in argument[1]:
            yield from _joined(list(branch))
    elif name == "AT":
        yield Beginning("", Rest.NOTHING)
    elif name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        yield from _repeated(argument, is_last=is_last)
    else:
        yield Beginning("", Rest.SOMETHING)


def _repeated(argument: Any, *, is_last: bool) -> Iterator[Beginning]:
    fewest, most, steps = argument[0], argument[1], list(argument[2])
    is_anything = len(steps) == 1 and str(steps[0][0]) == "ANY" and fewest <= 1
    if is_anything and is_last and str(most) == "MAXREPEAT":
        yield Beginning("", Rest.ANYTHING)
    elif fewest == 0 and most == 1:
        yield Beginning("", Rest.NOTHING)
        yield from _joined(steps)
    elif fewest >= 1:
        for one in _joined(steps):
            rest = one.rest if fewest == most == 1 else Rest.SOMETHING
            yield Beginning(one.text, rest)
    else:
        yield Beginning("", Rest.SOMETHING)


def _common(texts: Iterable[str]) -> str:
    first, *others = texts
    for length in range(len(first), 0, -1):
        if all(text.startswith(first[:length]) for text in others):
            return first[:length]
    return ""
