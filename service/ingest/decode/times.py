"""Event time out of whatever a producer writes."""

from datetime import UTC, datetime
from math import isinf, nan
from typing import Any

import msgspec

from service.ingest.decode.scalars import number, number_in_text

MILLISECONDS_FROM = 1e11
"""An epoch number from here on counts milliseconds (as seconds it would be the year 5138)."""
TIME_MAX_SECONDS = 253_402_300_799.0
"""The end of the year 9999."""


def event_time(value: Any) -> float:
    """Epoch seconds of RFC 3339 text (naive = UTC) or of epoch seconds or milliseconds.

    A number may stand in text (headers have no other way). NaN when the value cannot be read or
    lies outside of 1970 to 9999.
    """
    seconds = _of_text(value) if type(value) is str else _of_number(number(value))
    return seconds if 0.0 <= seconds <= TIME_MAX_SECONDS else nan


def _of_number(found: float) -> float:
    return found / 1000.0 if found >= MILLISECONDS_FROM else found


def _of_text(text: str) -> float:
    try:
        moment = msgspec.convert(text, datetime)
    except (ValueError, OverflowError):
        found = number_in_text(text)
        return _of_iso(text) if isinf(found) else _of_number(found)
    return _timestamp(moment)


def _of_iso(text: str) -> float:
    """ISO 8601 in its wider forms: a date alone, no seconds, no separators."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return nan
    return _timestamp(moment)


def _timestamp(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
