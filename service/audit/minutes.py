"""What became of each minute of a period, for one version of a model and for all of them."""

import itertools
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from service.values.audits import BLIND, Day, Down, Fate, Minutes, Period, Span
from service.values.watched import MINUTE_SECONDS, ModelWatched, ServiceWatched, WatchedHour

Codes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

FATES = tuple(Fate)
"""By their codes: the smaller, the better; of several versions the best one counts."""

_CODES = {fate: code for code, fate in enumerate(FATES)}
_DAY_MINUTES = 1440


class Timeline(Struct, frozen=True):
    """One entry for each minute of a period: its fate as a code, and what else is known of it."""

    period: Period
    codes: Codes
    muted: Flags
    late: Flags
    afterwards: Flags

    def minutes(self, chosen: slice = slice(None)) -> Minutes:
        """How many there are of each, in all or of some."""
        codes = self.codes[chosen]
        counts = np.bincount(codes, minlength=len(FATES)).tolist()
        watched = codes == _CODES[Fate.WATCHED]
        return Minutes(
            by_fate={fate: n for fate, n in zip(FATES, counts, strict=True) if n},
            muted=int((self.muted[chosen] & watched).sum()),
            late=int((self.late[chosen] & watched).sum()),
            afterwards=int((self.afterwards[chosen] & watched).sum()),
        )

    def spans(self, fates: Iterable[Fate] = BLIND) -> tuple[Span, ...]:
        """Minutes of one fate on end, of these fates, in order of time."""
        if not len(self.codes):
            return ()
        edges = np.flatnonzero(np.diff(self.codes)) + 1
        bounds = [0, *edges.tolist(), len(self.codes)]
        wanted = {*fates}
        return tuple(
            Span(self._at(first), self._at(end), fate)
            for first, end in itertools.pairwise(bounds)
            if (fate := FATES[self.codes[first]]) in wanted
        )

    def _at(self, minute: int) -> float:
        return self.period.from_seconds + minute * MINUTE_SECONDS


def timeline(
    period: Period,
    entries: Sequence[ModelWatched],
    service: Sequence[ServiceWatched],
    down: Iterable[Down],
) -> Timeline:
    """What became of each minute, by the entries of one version and those of the service."""
    size = period.minutes
    hours = merged(hour for entry in entries for hour in entry.hours)
    masks = {name: _marked(period, hours, name) for name in _MASKS}
    stopped = _stopped(period, down)
    codes = np.full(size, _CODES[Fate.UNRECORDED], dtype=np.uint8)
    recorded = _recorded_from(hours, service)
    through = _known_through(entries, service)
    first = min((e.first_seconds for e in entries if e.first_seconds is not None), default=math.inf)
    _between(codes, period, recorded, through, Fate.SILENT)
    _between(codes, period, recorded, min(first, _newest(service)), Fate.NOT_YET)
    codes[stopped & (codes != _CODES[Fate.NOT_YET])] = _CODES[Fate.DOWN]
    for fate, name in reversed(_MARKED.items()):
        codes[masks[name]] = _CODES[fate]
    return Timeline(period, codes, masks["muted"], masks["late"], stopped)


def together(period: Period, timelines: Sequence[Timeline]) -> Timeline:
    """Of all versions the best fate of each minute; all unrecorded without any."""
    if not timelines:
        codes = np.full(period.minutes, _CODES[Fate.UNRECORDED], dtype=np.uint8)
        none = np.zeros(period.minutes, dtype=np.bool_)
        return Timeline(period, codes, none, none, none)
    codes = np.minimum.reduce([one.codes for one in timelines])
    muted, late, afterwards = (
        np.logical_or.reduce([getattr(one, name) for one in timelines])
        for name in ("muted", "late", "afterwards")
    )
    return Timeline(period, codes, muted, late, afterwards)


def days(line: Timeline, hours: Iterable[WatchedHour]) -> tuple[Day, ...]:
    """Each day (UTC) of a timeline, with the rows that were judged of it."""
    rows: dict[str, int] = {}
    for hour in hours:
        rows[_day(hour.start_seconds)] = rows.get(_day(hour.start_seconds), 0) + hour.rows
    told = []
    at, end = 0, len(line.codes)
    while at < end:
        seconds = line.period.from_seconds + at * MINUTE_SECONDS
        until = min(end, at + _DAY_MINUTES - int(seconds // MINUTE_SECONDS) % _DAY_MINUTES)
        name = _day(seconds)
        told.append(Day(name, line.minutes(slice(at, until)), rows.get(name, 0)))
        at = until
    return tuple(told)


def merged(hours: Iterable[WatchedHour]) -> dict[int, WatchedHour]:
    """Each hour once, by its start: what several entries say of one holds together."""
    found: dict[int, WatchedHour] = {}
    for hour in hours:
        known = found.get(hour.start_seconds)
        found[hour.start_seconds] = hour if known is None else _union(known, hour)
    return found


_MARKED = {
    Fate.WATCHED: "compared",
    Fate.LEARNING: "learning",
    Fate.UNREFERENCED: "unreferenced",
}
_MASKS = (*_MARKED.values(), "muted", "late")


def _union(a: WatchedHour, b: WatchedHour) -> WatchedHour:
    masks = {name: f"{int(getattr(a, name), 16) | int(getattr(b, name), 16):x}" for name in _MASKS}
    panes, rows = max(a.panes, b.panes), max(a.rows, b.rows)
    return WatchedHour(a.start_seconds, **masks, panes=panes, rows=rows)


def _marked(period: Period, hours: dict[int, WatchedHour], name: str) -> Flags:
    """The minutes of the period that a mask of its hour has."""
    flags = np.zeros(period.minutes, dtype=np.bool_)
    for start, hour in hours.items():
        mask = int(getattr(hour, name), 16)
        at = round((start - period.from_seconds) / MINUTE_SECONDS)
        if not mask or at <= -60 or at >= len(flags):
            continue
        for minute in range(60):
            if mask >> minute & 1 and 0 <= at + minute < len(flags):
                flags[at + minute] = True
    return flags


def _stopped(period: Period, down: Iterable[Down]) -> Flags:
    """Minutes all of which lie in a time in which the service did not run."""
    flags = np.zeros(period.minutes, dtype=np.bool_)
    for one in down:
        first = math.ceil((one.from_seconds - period.from_seconds) / MINUTE_SECONDS)
        until = period.to_seconds if one.to_seconds is None else one.to_seconds
        end = math.floor((until - period.from_seconds) / MINUTE_SECONDS)
        flags[max(0, first) : max(0, end)] = True
    return flags


def _recorded_from(hours: dict[int, WatchedHour], service: Sequence[ServiceWatched]) -> float:
    """The record begins with its first entry, or with the oldest event that was read from then."""
    begins = [entry.at_seconds for entry in service[:1]]
    for start in sorted(hours)[:1]:
        masks = (int(getattr(hours[start], name), 16) for name in _MARKED.values())
        first = min(((mask & -mask).bit_length() - 1 for mask in masks if mask), default=0)
        begins.append(start + first * MINUTE_SECONDS)
    return min(begins, default=math.inf)


def _known_through(entries: Sequence[ModelWatched], service: Sequence[ServiceWatched]) -> float:
    """So far it is known that a minute without a mask had no event: what was judged; and where no
    row is open, all that the service had read by then.
    """
    judged = max((e.through_seconds or -math.inf for e in entries), default=-math.inf)
    if not entries or entries[-1].predictions > entries[-1].judged + entries[-1].unjudged:
        return judged
    read = max((e.read_through_seconds or -math.inf for e in service), default=-math.inf)
    return max(judged, read)


def _newest(service: Sequence[ServiceWatched]) -> float:
    return service[-1].at_seconds if service else -math.inf


def _between(codes: Codes, period: Period, first: float, end: float, fate: Fate) -> None:
    """Give the minutes that begin at `first` or later and are over by `end` this fate."""
    low = math.ceil(_clip((first - period.from_seconds) / MINUTE_SECONDS, len(codes)))
    high = math.floor(_clip((end - period.from_seconds) / MINUTE_SECONDS, len(codes)))
    codes[low : max(low, high)] = _CODES[fate]


def _clip(minute: float, size: int) -> float:
    return min(max(minute, 0.0), float(size))


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
