"""Whether two globs, as `fnmatch` reads them, can match one name."""

import re
from collections.abc import Sequence

_STAR = "*"
_LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]
"""The characters that one place of a glob accepts: pairs of first and last, ascending."""

_ANY: Ranges = ((0, _LAST),)
_LITERAL = re.compile(r"[^*?\[]*")


def common_name(one: str, other: str) -> str | None:
    """A shortest name that both match, None where no name does. Upper case is not lower case."""
    first, second = _LITERAL.match(one), _LITERAL.match(other)
    if first and second and not _agree(first[0], second[0]):
        return None
    return _search(_places(one), _places(other))


def _agree(one: str, other: str) -> bool:
    """Whether one of two beginnings begins with the other."""
    return one.startswith(other) or other.startswith(one)


def _search(one: Sequence[Ranges | str], other: Sequence[Ranges | str]) -> str | None:
    """From the end to the beginning: what the rests of both match, for every pair of rests."""
    names: list[list[str | None]] = [[None] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one), -1, -1):
        for j in range(len(other), -1, -1):
            names[i][j] = _shortest(_ways(one, other, i, j, names))
    return names[0][0]


def _ways(
    one: Sequence[Ranges | str],
    other: Sequence[Ranges | str],
    i: int,
    j: int,
    names: list[list[str | None]],
) -> list[str | None]:
    if i == len(one) and j == len(other):
        return [""]
    ways: list[str | None] = []
    if i < len(one) and one[i] == _STAR:
        ways += [names[i + 1][j], *_taken(other, j, names[i])]
    elif j < len(other) and other[j] == _STAR:
        ways += [names[i][j + 1], *_taken(one, i, [row[j] for row in names])]
    elif i < len(one) and j < len(other):
        shared = _both(one[i], other[j])
        rest = names[i + 1][j + 1]
        ways += [] if shared is None or rest is None else [shared + rest]
    return ways


def _taken(places: Sequence[Ranges | str], at: int, rests: Sequence[str | None]) -> list[str]:
    """What a star of the other glob matches besides nothing: the next place of this one."""
    if at == len(places):
        return []
    rest = rests[at + 1]
    if rest is None:
        return []
    return [rest if places[at] == _STAR else _example(places[at]) + rest]


def _shortest(ways: Sequence[str | None]) -> str | None:
    return min((way for way in ways if way is not None), key=len, default=None)


def _both(one: Ranges | str, other: Ranges | str) -> str | None:
    """A character that both places accept."""
    shared = tuple(
        (max(low, first), min(high, last))
        for low, high in _ranges(one)
        for first, last in _ranges(other)
        if max(low, first) <= min(high, last)
    )
    return _example(shared) if shared else None


def _ranges(place: Ranges | str) -> Ranges:
    return _ANY if isinstance(place, str) else place


def _example(place: Ranges | str) -> str:
    """One character of a place, one that can be read where there is one."""
    ranges = _ranges(place)
    for wanted in "a0A-_":
        if any(low <= ord(wanted) <= high for low, high in ranges):
            return wanted
    return chr(ranges[0][0])


def _places(glob: str) -> list[Ranges | str]:
    """A glob by its places: stars, and what each other one accepts."""
    found: list[Ranges | str] = []
    at = 0
    while at < len(glob):
        end = _set_end(glob, at) if glob[at] == "[" else -1
        if end > 0:
            found.append(_set(glob[at + 1 : end]))
            at = end
        elif glob[at] == _STAR:
            found += [] if found and found[-1] == _STAR else [_STAR]
        else:
            code = ord(glob[at])
            found.append(_ANY if glob[at] == "?" else ((code, code),))
        at += 1
    return found


def _set_end(glob: str, start: int) -> int:
    """Where the set that begins at `start` ends; -1 where it does not, so that [ is a letter."""
    first = start + 1 + (glob[start + 1 : start + 2] == "!")
    return glob.find("]", first + 1)


def _set(text: str) -> Ranges:
    """What stands between brackets: letters and ranges, with ! before them all others."""
    inverted = text.startswith("!")
    inside = text.removeprefix("!") if inverted else text
    ranges: list[tuple[int, int]] = []
    at = 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            ranges.append((ord(inside[at]), ord(inside[at + 2])))
            at += 3
        else:
            ranges.append((ord(inside[at]), ord(inside[at])))
            at += 1
    kept = tuple(sorted((low, high) for low, high in ranges if low <= high))
    return _others(kept) if inverted else kept


def _others(ranges: Ranges) -> Ranges:
    """All characters but these."""
    found, at = [], 0
    for low, high in ranges:
        if at < low:
            found.append((at, low - 1))
        at = max(at, high + 1)
    return (*found, *(((at, _LAST),) if at <= _LAST else ()))
