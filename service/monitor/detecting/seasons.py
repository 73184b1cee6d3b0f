"""Which streams follow the hour of the day or week, and what is usual of them at a time.

What a reference does not tell is learned live. An hour is told beforehand three times: by the same
hours of days before, by all hours alike, and by the reference. A stream is taken to have a season
once the hours have told it better than both others, over two days at least, by so much evidence as
a recovery needs. A change that stays is told no better by the hour, so that it is not taken for a
season, nor is slow wander, nor an incident of some hours, after which all is as in the reference.
"""

import math
from datetime import date
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.change.bayes_factor import log_dirichlet_multinomial
from detectors.change.observation import Flags
from detectors.change.ragged import Floats, Ragged
from detectors.season import DAY_WEIGHT, HOURS_A_DAY, HOURS_A_WEEK, Expected, Season, hour_of_week
from service.monitor.detecting.beforehand import Hours
from service.values.watches import SeasonWatch

DAY_SECONDS = 86_400.0

KNOWN_SECONDS = 2 * DAY_SECONDS
"""Before, no stream has a season."""

DECIDED_SECONDS, LEARNING_SECONDS = 14 * DAY_SECONDS, 28 * DAY_SECONDS
"""A stream that has no season by then has none. What is usual by the hour is learned for so long,
and stays: slow drift is not to be absorbed."""

LEVEL = math.log(10_000)
"""Evidence at which a stream has a season."""

EVIDENCE_MIN = -10.0
"""It falls no lower, so that a week whose end is unlike its days can still be told as one."""

MASS_MAX = 500.0
"""So much is any forecast worth: hours differ a little even in a season that repeats."""


class Usual(NamedTuple):
    """What is usual now: `shares` (C,), and by stream (D,) how many counts they are worth, 0 where
    a stream has no season.
    """

    shares: Floats
    mass: Floats


class Seasons:
    """The seasons of D streams. `active` (D,): which have one.

    `shares` (C,) and `mass` (D,) are the reference's: what is taken where an hour is not known.
    `told` are the seasons that it knows: as if their days had been the last ones.
    """

    def __init__(
        self,
        watch: SeasonWatch,
        cells: Ragged,
        shares: Floats,
        mass: Floats,
        told: Hours | None = None,
    ) -> None:
        told = told or Hours.nothing(cells)
        self.active: Flags = told.active.copy()
        self._told_seconds = told.days * DAY_SECONDS
        self._watch = watch
        self._zone = ZoneInfo(watch.timezone)
        self._cells = cells
        self._shares = shares
        self._season = Season(cells, shares, mass)
        self._season.counts += told.counts.astype(np.float32)
        self._evidence: Floats = np.zeros(cells.streams)
        self._first_seconds: Floats = np.full(cells.streams, math.nan)
        self._hour = -1
        self._counts: Floats = np.zeros(cells.cells)
        self._doubted: Floats = np.zeros(cells.cells)
        self._now: tuple[float, Expected] | None = None

    def usual(self, middle_seconds: float, phi: Floats) -> Usual | None:
        """What is usual of a pane with this middle, where counts are worth 1 / `phi` (D,) each;
        None while no stream has a season.
        """
        if not self.active.any():
            return None
        expected = self._expected(self.position(middle_seconds))
        return Usual(expected.shares, np.where(self.active, expected.mass / phi, 0.0))

    def position(self, at_seconds: float) -> float:
        """The hour of the period, a fraction, that is on the clock at a time."""
        position = hour_of_week(at_seconds, self._zone, self._is_holiday)
        return position % (HOURS_A_WEEK if self._watch.period == "week" else HOURS_A_DAY)

    def learn(
        self, middle_seconds: float, counts: NDArray[np.int64], phi: Floats, quiet: Flags
    ) -> Flags:
        """Take a judged pane: counts (C,), worth 1 / `phi` each. Gives the streams that have a
        season from now on; they are to be judged afresh.

        Of a stream with a season `quiet` panes are taken; of the others all, since it is the season
        that makes them drift. Others of a stream with a season, too, if it was like that in the
        same hour before, or, in the first two weeks, if that hour was never seen: a week has a
        shape that days do not know of.
        """
        new = np.zeros_like(self.active)
        if self._watch.period == "none":
            return new
        unknown = np.isnan(self._first_seconds)
        if unknown.any():
            first = middle_seconds - self._told_seconds
            self._first_seconds = np.where(unknown, first, self._first_seconds)
        known_seconds = middle_seconds - self._first_seconds
        open_ = known_seconds <= LEARNING_SECONDS
        if not open_.any():
            return new
        position = self.position(middle_seconds)
        if int(position) != self._hour:
            new = self._end_hour(known_seconds, phi)
            self._hour = int(position)
        learning = open_ & np.where(self.active, quiet, known_seconds < DECIDED_SECONDS)
        self._counts = self._counts + np.where(self._cells.spread(learning), counts, 0.0)
        doubted = self._cells.spread(open_ & self.active & ~quiet)
        self._doubted = self._doubted + np.where(doubted, counts, 0.0)
        return new

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the seasons of `previous` that are carried; the others are learned from now
        on. Both are cut into the same hours.
        """
        cells = carried.of_cells(previous._cells.offsets, self._cells.offsets)
        self._season.counts = cells.into(self._season.counts, previous._season.counts, axis=1)
        for name in ("_counts", "_doubted"):
            setattr(self, name, cells.into(getattr(self, name), getattr(previous, name)))
        for name in ("active", "_evidence", "_first_seconds"):
            setattr(self, name, carried.into(getattr(self, name), getattr(previous, name)))
        self._hour, self._now = previous._hour, None

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot: hours that were seen alone."""
        counts = self._season.counts
        hours = np.flatnonzero(counts.any(axis=1))
        return {
            "offsets": self._cells.offsets,
            "period": self._watch.period,
            "timezone": self._watch.timezone,
            "hours": hours,
            "counts": counts[hours].astype(np.float32),
            "active": self.active,
            "evidence": self._evidence,
            "first_seconds": self._first_seconds,
            "hour": self._hour,
            "in_hour": [self._counts, self._doubted],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken; with other cells, hours or another period nothing is
        known any more.
        """
        settings = (state["period"], state["timezone"])
        same = np.array_equal(state["offsets"], self._cells.offsets)
        if not same or settings != (self._watch.period, self._watch.timezone):
            return
        self._season.counts[state["hours"]] = state["counts"]
        self.active, self._evidence = np.array(state["active"]), np.array(state["evidence"])
        # One time for all streams, as long as none could be added later.
        self._first_seconds = np.full(len(self.active), state["first_seconds"], dtype=np.float64)
        self._hour = state["hour"]
        self._counts, self._doubted = (np.array(counts) for counts in state["in_hour"])
        self._now = None

    def _end_hour(self, known_seconds: Floats, phi: Floats) -> Flags:
        """Weigh how well the hour was told beforehand, then learn it."""
        if self._hour < 0:
            return np.zeros_like(self.active)
        self._weigh(phi)
        row = self._season.counts[self._hour]
        known = self._cells.spread(self._was_like_that(row, phi, known_seconds))
        self._counts = self._counts + np.where(known, self._doubted, 0.0)
        # Kept as single floats: what a snapshot holds is what there is.
        row[:] = (row + self._counts).astype(np.float32)
        self._counts, self._doubted = np.zeros_like(self._counts), np.zeros_like(self._counts)
        self._now = None
        decided = known_seconds >= DECIDED_SECONDS
        in_time = ~decided & (known_seconds >= KNOWN_SECONDS)
        new: Flags = in_time & (self._evidence > LEVEL) & ~self.active
        self.active = self.active | new
        if decided.any():
            self._season.counts[:, self._cells.spread(decided & ~self.active)] = 0.0
        return new

    def _was_like_that(self, row: Floats, phi: Floats, known_seconds: Floats) -> Flags:
        """Of which streams the doubted part of the hour is as the same hour was before."""
        cells = self._cells
        before = cells.total(row)
        if not self._doubted.any():
            return np.zeros_like(self.active)
        usual = self._season.expected(self._hour + 0.5).shares
        shares = (row + usual) / cells.spread(before + 1)
        doubted, mass = self._doubted / cells.spread(phi), _worth(before / phi)
        as_before = log_dirichlet_multinomial(cells, doubted, shares, mass)
        as_usual = log_dirichlet_multinomial(cells, doubted, usual, mass)
        like: Flags = np.where(before > 0, as_before > as_usual, known_seconds < DECIDED_SECONDS)
        return like

    def _weigh(self, phi: Floats) -> None:
        cells, season = self._cells, self._season
        counts = self._counts / cells.spread(phi)
        by_hour = season.expected(self._hour + 0.5)
        before = cells.total(season.counts[self._hour % HOURS_A_DAY :: HOURS_A_DAY].sum(axis=0))
        all_hours = season.counts.sum(axis=0)
        total = cells.total(all_hours)
        # All hours alike are worth no more than the same hours of days before: the reference, which
        # is mixed into these, would else make the one forecast vaguer than the other.
        alike = all_hours * cells.spread(before / np.maximum(total, 1)) + DAY_WEIGHT * self._shares
        alike = alike / cells.spread(before + DAY_WEIGHT)
        mass = _worth(np.minimum(before, by_hour.mass) / phi)
        # A single incident makes hours differ too: after it, the reference tells them best.
        others = [
            log_dirichlet_multinomial(cells, counts, shares, mass)
            for shares in (alike, np.broadcast_to(self._shares, alike.shape))
        ]
        told = log_dirichlet_multinomial(cells, counts, by_hour.shares, mass)
        gained = told - np.maximum(*others)
        # An hour that was never seen is told by nothing but the reference.
        self._evidence = np.maximum(self._evidence + np.where(before > 0, gained, 0), EVIDENCE_MIN)

    def _expected(self, position: float) -> Expected:
        if self._now is None or self._now[0] != position:
            self._now = (position, self._season.expected(position))
        return self._now[1]

    def _is_holiday(self, day: date) -> bool:
        return day in self._watch.holidays


def _worth(mass: Floats) -> Floats:
    return np.clip(mass, 1.0, MASS_MAX)
