"""JSON as producers write it: strict and fast first, then leniently, so that one field is lost."""

import json
import re
from math import inf
from typing import Any

import msgspec
import numpy as np

DEPTH_MAX = 500
"""Deeper nesting is refused, so that the answer never depends on how deep our own stack is."""

_INTEGER_DIGITS_MAX = 400
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_decoder = msgspec.json.Decoder()


class MalformedError(ValueError):
    """A value is not what the decode chain or the layout expects. The message says why."""


def read_json(data: bytes | str) -> Any:
    """Decode one JSON value.

    Beyond the standard, each costing no more than its own field: NaN, Infinity, numbers beyond a
    double and integers of over 400 digits become infinity; lone surrogates stay (names are cleaned
    on admission); invalid UTF-8 becomes U+FFFD; a byte order mark is skipped. The last of two equal
    keys counts. Raises MalformedError.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if nests_too_deep(raw):
        raise MalformedError(f"JSON nests deeper than {DEPTH_MAX} levels")
    try:
        return _decoder.decode(raw)
    except (ValueError, RecursionError):
        return _read_lenient(raw)


def nests_too_deep(raw: bytes) -> bool:
    """Whether brackets outside of strings nest deeper than DEPTH_MAX."""
    if len(raw) <= 2 * DEPTH_MAX or raw.count(b"[") + raw.count(b"{") <= DEPTH_MAX:
        return False
    folded = np.frombuffer(_STRING.sub(b"", raw), dtype=np.uint8) | 0x20  # [ -> {, ] -> }
    steps = (folded == 0x7B).astype(np.int32) - (folded == 0x7D)
    return bool(steps.size) and int(np.cumsum(steps).max()) > DEPTH_MAX


def _read_lenient(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8-sig", "replace")
        return json.loads(text, parse_constant=_infinity, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}") from error


def _infinity(_: str) -> float:
    return inf


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _INTEGER_DIGITS_MAX else inf
