"""What the panes of a reference, in order of time, teach of its streams.

They are learned from as live ones are of which none drifts, by the same rules: a stream has a
season once the hours have told its hours better (`seasons`), and its dependence is that of what
they do not tell (`dispersions`). So a reference of two weeks knows what two live weeks would, and
more in one thing: while a season is young it errs, which looks like wander; how long there will be
panes is known here, so that of the first half this is forgotten.
"""

import math
from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detectors.change.pool import shares_of
from detectors.dispersion import PANES_MIN
from detectors.season import HOURS_A_WEEK
from service.monitor.detecting.dispersions import PRIOR, SETTLED_SECONDS, Dispersions
from service.monitor.detecting.seasons import KNOWN_SECONDS, LEARNING_SECONDS, Seasons
from service.monitor.detecting.watched_cells import WatchedCells
from service.values.references import Dependence, InTime, Reference, Season
from service.values.streams import Kind, StreamKey
from service.values.watches import SeasonWatch

TAUGHT_SECONDS = LEARNING_SECONDS
"""The last so many are learned from, as live: more would be another season of the year."""

DAYS_MIN = round(KNOWN_SECONDS / 86_400.0)
"""A season of fewer days with a row is none."""


class Teaching:
    """Takes the panes of `reference`, ascending by time; `counts` (cells,) are its own, by cell of
    the layout of `watched`. They start at `span`, the first and the last of them.
    """

    def __init__(
        self,
        reference: Reference,
        counts: NDArray[np.int64],
        watched: WatchedCells,
        season: SeasonWatch,
        pane_seconds: float,
        span: tuple[float, float],
    ) -> None:
        self.panes = 0
        half = (span[1] - span[0]) / 2
        self._grown_seconds = span[0] + half if half >= SETTLED_SECONDS else math.inf
        self._watched = watched
        self._season = season
        self._pane_seconds = pane_seconds
        normal = watched.take(watched.reference(reference, counts))
        cells = watched.cells
        self._shares = shares_of(cells, normal, PRIOR)
        self._dispersions = Dispersions(cells, self._shares, pane_seconds)
        self._seasons = Seasons(season, cells, self._shares, cells.total(normal))
        self._all = np.ones(cells.streams, dtype=np.bool_)
        self._by_hour = np.zeros((HOURS_A_WEEK, len(counts)), dtype=np.int64)
        self._zone = ZoneInfo(season.timezone)
        self._day: date | None = None
        self._days = np.zeros(cells.streams, dtype=np.int64)
        self._on_day = np.zeros(cells.streams, dtype=np.bool_)

    def take(self, start_seconds: float, counts: NDArray[np.int64]) -> None:
        """Learn from the next pane that has rows, by its counts (cells,)."""
        cells, middle = self._watched.cells, start_seconds + self._pane_seconds / 2
        watched = self._watched.take(counts)
        self.panes += 1
        self._by_hour[int(self._seasons.position(middle))] += counts
        self._note_day(middle, cells.total(watched) > 0)
        if middle > self._grown_seconds:
            self._grown_seconds = math.inf
            self._dispersions.forget(self._seasons.active)
        usual = self._seasons.usual(middle, self._dispersions.phi)
        expected = None
        if usual is not None:
            expected = np.where(cells.spread(usual.mass > 0), usual.shares, self._shares)
        self._dispersions.learn(watched, expected, self._all)
        new = self._seasons.learn(middle, watched, self._dispersions.phi, self._all)
        if new.any():
            self._dispersions.forget(new)

    def taught(self) -> Mapping[StreamKey, InTime]:
        """What is known of the streams now; of one that was in fewer than 30 panes nothing is.

        Nothing can be taken any more.
        """
        self._note_day(None, np.zeros_like(self._all))
        self._dispersions.settle()
        known = {key: place for place, key in enumerate(self._watched.streams)}
        taught = {}
        for key in self._watched.values:
            values = self._dependence(known[key])
            quality = None
            if key.kind is Kind.INPUT:
                quality = self._dependence(known[StreamKey(Kind.QUALITY, key.name)])
            if values is not None:
                season = self._season_of(key, values, quality)
                taught[key] = InTime(self._pane_seconds, values, quality, season)
        return taught

    def _dependence(self, place: int) -> Dependence | None:
        line, active = self._dispersions.live, self._seasons.active
        if line.panes[place] < PANES_MIN or (active[place] and self._days[place] < DAYS_MIN):
            return None
        return Dependence(
            phi=float(line.phi[place]),
            kappa=float(line.kappa[place]),
            panes=int(line.panes[place]),
            events=float(self._dispersions.events[place]),
            seasonal=bool(active[place]),
        )

    def _season_of(
        self, key: StreamKey, values: Dependence, quality: Dependence | None
    ) -> Season | None:
        """The rows of a stream by hour, of the hours that have any."""
        if not (values.seasonal or (quality is not None and quality.seasonal)):
            return None
        layout, streams = self._watched.plan.layout, self._watched.plan.streams
        place = streams.index(key)
        counts = self._by_hour[:, layout.offsets[place] : layout.offsets[place + 1]]
        if key not in self._watched.plan.numeric:
            counts = np.delete(counts, -3, axis=1)
        hours = np.flatnonzero(counts.any(axis=1))
        return Season(
            timezone=self._season.timezone,
            period=self._season.period,
            days=int(self._days[place]),
            hours=tuple(hours.tolist()),
            counts=counts[hours],
        )

    def _note_day(self, middle_seconds: float | None, seen: NDArray[np.bool_]) -> None:
        """Count the days in which each stream had a row; None ends the last one."""
        day = None
        if middle_seconds is not None:
            day = datetime.fromtimestamp(middle_seconds, self._zone).date()
        if day != self._day:
            self._days += self._on_day
            self._on_day[:] = False
            self._day = day
        self._on_day |= seen
