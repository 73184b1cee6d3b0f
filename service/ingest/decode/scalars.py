"""One decoded value as a number, a category, a boolean: what it is, or missing, or invalid.

Numbers use NaN for missing and infinity for invalid, as the columns of a batch do. The `_in_text`
forms also read numbers and booleans out of strings, where an empty string is missing (CSV).
"""

from collections.abc import Callable
from math import inf, isfinite, isinf, isnan, nan
from typing import Any, NamedTuple

from detectors.summary.profile import INVALID_VALUE, InvalidValue, Value
from service.ingest.decode.admission import clean_text

_WHOLE_MAX = 2**64
_FLOAT_WHOLE_MAX = 2.0**53
_BOOLEANS = {"true": True, "false": False}


def number(value: Any) -> float:
    """JSON number -> float; null -> NaN; anything else, and what is not finite, -> infinity."""
    if value is None:
        return nan
    kind = type(value)
    if kind is float:
        return value if isfinite(value) else inf
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            return inf
    return inf


def number_in_text(value: Any) -> float:
    """`number`, also of a string of ASCII such as "12.5"; "" -> NaN, other text -> infinity."""
    if type(value) is not str:
        return number(value)
    text = value.strip()
    if not text:
        return nan
    if not text.isascii() or "_" in text:
        return inf
    try:
        return number(float(text))
    except ValueError:
        return inf


def text_of(value: Any) -> str | None:
    """A scalar as text: "12" for 12 and 12.0, "true" for True, bytes as UTF-8; else None."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if -_WHOLE_MAX < value < _WHOLE_MAX else None
    if kind is float and isfinite(value):
        return (
            str(int(value)) if value.is_integer() and abs(value) < _FLOAT_WHOLE_MAX else repr(value)
        )
    if kind is bytes:
        return value.decode("utf-8", "replace")  # type: ignore[no-any-return]
    return None


def category(value: Any) -> str | InvalidValue | None:
    """A scalar's clean text; null -> None; list, map, infinity, over 64 bits: invalid."""
    if value is None:
        return None
    text = text_of(value)
    return INVALID_VALUE if text is None else clean_text(text)


def boolean(value: Any) -> str | InvalidValue | None:
    """Text of true, false, 0, 1, "true" and "false"; null -> None; anything else is invalid."""
    if value is None:
        return None
    text = text_of(value)
    if text in ("1", "0"):
        return INVALID_VALUE if type(value) is str else ("true" if text == "1" else "false")
    return text if text in _BOOLEANS else INVALID_VALUE


def boolean_in_text(value: Any) -> str | InvalidValue | None:
    """`boolean`, also of "0", "1", "True", "FALSE"; "" -> None."""
    if type(value) is not str:
        return boolean(value)
    text = value.strip().lower()
    if not text:
        return None
    return {"1": "true", "0": "false"}.get(text, text if text in _BOOLEANS else INVALID_VALUE)


def learned(value: Any) -> Value:
    """A value whose stream has no type yet: float, bool, clean text, None or invalid."""
    kind = type(value)
    if kind is bool or value is None:
        return value  # type: ignore[no-any-return]
    if kind is str:
        return clean_text(value)
    found = number(value)
    return found if isfinite(found) else INVALID_VALUE


def learned_in_text(value: Any) -> Value:
    """`learned`, where text that is a number or a boolean is one, and "" is None."""
    if type(value) is not str:
        return learned(value)
    text = value.strip()
    if not text:
        return None
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    found = number_in_text(text)
    return found if isfinite(found) else clean_text(value)


class Reading(NamedTuple):
    """How values are read. `text`: an empty string is missing."""

    number: Callable[[Any], float]
    boolean: Callable[[Any], str | InvalidValue | None]
    learned: Callable[[Any], Value]
    text: bool


AS_THEY_ARE = Reading(number, boolean, learned, text=False)
OUT_OF_TEXT = Reading(number_in_text, boolean_in_text, learned_in_text, text=True)


def as_value(number: float) -> Value:
    """A column's number as the value of a stream without cells: infinite is invalid."""
    if isinf(number):
        return INVALID_VALUE
    return None if isnan(number) else number
