"""An axis of time: where a time lies, and which times are written at it."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from markupsafe import Markup
from msgspec import Struct

from service.publish.pictures.svg import label, line

_STEPS = tuple(
    float(unit * count)
    for unit, counts in ((60, (1, 5, 15, 30)), (3600, (1, 3, 6, 12)), (86_400, (1, 2, 7, 14)))
    for count in counts
)
_DAY = 86_400.0
_MONTHS_STEP = 28 * _DAY


class TimeAxis(Struct, frozen=True):
    """Times from `start` to `end` (epoch seconds) over pixels from `left` to `right`."""

    start: float
    end: float
    left: float
    right: float

    def x(self, seconds: float) -> float:
        """The pixel of a time; times outside lie at the ends."""
        span = max(self.end - self.start, 1.0)
        ratio = min(max((seconds - self.start) / span, 0.0), 1.0)
        return self.left + ratio * (self.right - self.left)

    def drawn(self, top: float, bottom: float, most: int = 8) -> list[Markup]:
        """Grid lines from `top` to `bottom`, with their times below."""
        parts = []
        for seconds, text in _ticks(self.start, self.end, most):
            x = self.x(seconds)
            parts.append(line(x, top, x, bottom, "grid"))
            if self.left + 14 <= x <= self.right - 14:
                parts.append(label(x, bottom + 15, text, anchor="middle"))
        return parts


def minute(seconds: float) -> str:
    """`2026-11-23 10:15`, UTC."""
    return _utc(seconds).strftime("%Y-%m-%d %H:%M")


def day(seconds: float) -> str:
    """`23 Nov 2026`."""
    time = _utc(seconds)
    return f"{time.day} {time:%b} {time.year}"


def _ticks(start: float, end: float, most: int) -> Iterator[tuple[float, str]]:
    span = max(end - start, 1.0)
    step = next((step for step in _STEPS if span / step <= most), _MONTHS_STEP)
    if step == _MONTHS_STEP:
        yield from _months(start, end, most)
        return
    tick = math.ceil(start / step) * step
    while tick <= end:
        time = _utc(tick)
        clock = tick % _DAY and span < most * _DAY
        yield tick, f"{time:%H:%M}" if clock else f"{time.day} {time:%b}"
        tick += step


def _months(start: float, end: float, most: int) -> Iterator[tuple[float, str]]:
    """The first of every so many months."""
    apart = max(1, math.ceil((end - start) / (30.4 * _DAY) / most))
    apart = next((n for n in (1, 2, 3, 6) if n >= apart), math.ceil(apart / 12) * 12)
    first = _utc(start)
    for month in range(first.year * 12, _utc(end).year * 12 + 12, apart):
        time = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        if start <= time.timestamp() <= end:
            yield time.timestamp(), f"{time:%b} {time.year}"


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0.0), 253_402_300_799.0), UTC)
