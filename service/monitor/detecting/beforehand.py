"""What is known of streams before their first live pane, out of a reference in order of time."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.change.observation import Flags
from detectors.change.ragged import Floats, Ragged
from detectors.dispersion import Line
from detectors.season import HOURS_A_WEEK
from service.monitor.detecting.watched_cells import WatchedCells
from service.values.references import Dependence, InTime, Reference, StreamReference
from service.values.streams import Kind, StreamKey, ValueType
from service.values.watches import SeasonWatch


class Told(NamedTuple):
    """The dependence of D streams, of no pane where nothing is told, and how many `events` (D,) a
    pane had.
    """

    line: Line
    events: Floats

    @classmethod
    def nothing(cls, streams: int) -> "Told":
        """Nothing is told of any."""
        return cls(Line.unknown(streams), np.ones(streams))


class Hours(NamedTuple):
    """The seasons of D streams of C cells: which are `active` (D,), out of how many `days` (D,),
    and `counts` (168, C), of which those of a day are the first 24.
    """

    active: Flags
    days: Floats
    counts: Floats

    @classmethod
    def nothing(cls, cells: Ragged) -> "Hours":
        """Nothing is told of any."""
        counts = np.zeros((HOURS_A_WEEK, cells.cells))
        return cls(np.zeros(cells.streams, dtype=np.bool_), np.zeros(cells.streams), counts)


class Beforehand(Struct, frozen=True):
    """What a reference tells of the streams of `WatchedCells`."""

    told: Told
    hours: Hours


def beforehand(
    reference: Reference, watched: WatchedCells, season: SeasonWatch, pane_seconds: float
) -> Beforehand:
    """What `reference` tells, as far as it is about panes of this length, and hours of `season`.

    Dependence that is about what the hour does not tell is known only where the hour is.
    """
    cells = watched.cells
    told, hours = Told.nothing(cells.streams), Hours.nothing(cells)
    known = {s.key: s.in_time for s in reference.streams if s.in_time is not None}
    for place, (in_time, dependence) in enumerate(_by_stream(known, watched)):
        if in_time is None or dependence is None:
            continue
        by_hour = fits_hours(in_time, season)
        if dependence.seasonal and by_hour and in_time.season is not None:
            hours.active[place], hours.days[place] = True, in_time.season.days
        if fits_panes(in_time, pane_seconds) and (by_hour or not dependence.seasonal):
            told.line.phi[place], told.line.kappa[place] = dependence.phi, dependence.kappa
            told.line.panes[place], told.events[place] = dependence.panes, dependence.events
    if hours.active.any():
        hours.counts[:] = _by_hour(reference, watched) * cells.spread(hours.active)
    return Beforehand(told, hours)


def fits_panes(known: InTime, pane_seconds: float) -> bool:
    """Whether it is about panes of this length."""
    return abs(known.pane_seconds - pane_seconds) <= 1e-9 * pane_seconds


def fits_hours(known: InTime, season: SeasonWatch) -> bool:
    """Whether it has a season, by the hours of this one."""
    theirs = known.season
    return theirs is not None and (theirs.period, theirs.timezone) == (
        season.period,
        season.timezone,
    )


def _by_stream(
    known: Mapping[StreamKey, InTime], watched: WatchedCells
) -> Iterator[tuple[InTime | None, Dependence | None]]:
    """What is known of each stream watched: of values, then of quality."""
    for key in watched.streams:
        is_quality = key.kind is Kind.QUALITY
        in_time = known.get(StreamKey(Kind.INPUT, key.name) if is_quality else key)
        if in_time is None:
            yield None, None
        else:
            yield in_time, in_time.quality if is_quality else in_time.values


def _by_hour(reference: Reference, watched: WatchedCells) -> Floats:
    """Counts by hour of all streams of the reference that have seasons, of the cells watched."""
    layout = watched.plan.layout
    places = {key: i for i, key in enumerate(watched.plan.streams)}
    rows = np.zeros((HOURS_A_WEEK, layout.cell_count), dtype=np.int64)
    for stream in reference.streams:
        season = None if stream.in_time is None else stream.in_time.season
        if season is not None and stream.key in places:
            first = layout.offsets[places[stream.key]]
            inside = _with_unseen(stream, season.counts)
            rows[list(season.hours), first : first + inside.shape[1]] = inside
    return np.array([watched.take(row) for row in rows], dtype=np.float64)


def _with_unseen(stream: StreamReference, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts by the cells of a layout: of a reference no category is unseen."""
    if stream.type is ValueType.NUMERIC:
        return counts
    unseen = np.zeros((len(counts), 1), dtype=np.int64)
    return np.hstack((counts[:, :-2], unseen, counts[:, -2:]))
