"""Shares that follow the hour of the day and of the week.

Hour of day p_d = (C_d + 200 p) / (|C_d| + 200), hour of week p_h = (C_h + 500 p_d) / (|C_h| +
500): what few events were seen of is taken from what many were seen of. Between the centres of
hours shares are interpolated: steps from hour to hour would be noticed as changes. Where a stream
itself goes by steps (a shop that opens, a weekend that begins) that is wrong by up to half a step;
how far the difference of two hours is from those around it tells how much, and is allowed for.

A position is the hour of the week in local time, a fraction from 0 (Monday 0:00) up to 168.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np

from detectors.change.ragged import Floats, Ragged

HOURS_A_DAY, HOURS_A_WEEK = 24, 168
SUNDAY = 6

DAY_WEIGHT, WEEK_WEIGHT = 200.0, 500.0
"""How many events of the more general shares are mixed in. More would make a stream of one event a
second, whose weekends are 0.8 sd off, alarm on its third weekend still."""


ALLOWED_EVIDENCE = 10.0
"""A step that the hours around do not tell makes no more evidence than about this, in nats."""


SHARE_MIN = 1e-12
"""A smaller share is taken for this."""


def never(day: date) -> bool:  # noqa: ARG001 - a calendar without holidays
    """No day is a holiday."""
    return False


def hour_of_week(
    epoch_seconds: float, zone: ZoneInfo, is_holiday: Callable[[date], bool] = never
) -> float:
    """The position of a moment in the week of `zone`, from 0 up to 168; a holiday is a Sunday.

    It follows the clock on the wall: an hour that is shown twice has the same positions twice, one
    that is left out has none.
    """
    local = datetime.fromtimestamp(epoch_seconds, zone)
    day = SUNDAY if is_holiday(local.date()) else local.weekday()
    seconds = local.minute * 60 + local.second + local.microsecond / 1e6
    return day * HOURS_A_DAY + local.hour + seconds / 3600


class Expected(NamedTuple):
    """Expected `shares` (C,) and how many events they are worth, `mass` (D,)."""

    shares: Floats
    mass: Floats


class Season:
    """Counts by hour of the week of the streams of `cells`, around the overall `shares` (C,).

    `mass`, (D,) or one number: how many events `shares` are worth. Counts are over phi, as all
    are. A stream without any count in an hour has the day's shares there, else the overall ones.

    State: `counts` (168, C), with shares, mass and offsets.
    """

    def __init__(self, cells: Ragged, shares: Floats, mass: Floats | float = 0.0) -> None:
        self.cells = cells
        self._shares = np.array(shares, dtype=np.float64)
        self._mass = np.broadcast_to(np.asarray(mass, dtype=np.float64), (cells.streams,)).copy()
        self.counts = np.zeros((HOURS_A_WEEK, cells.cells))

    def add(self, counts: np.ndarray, position: float) -> None:
        """Add the counts (C,) of a pane whose middle is at `position`."""
        self.counts[int(position) % HOURS_A_WEEK] += counts

    def expected(self, position: float) -> Expected:
        """What is normal for a pane whose middle is at `position`."""
        before, after, weight = neighbours(position, HOURS_A_WEEK)
        (shares, mass), (later, later_mass) = self._of_hour(before), self._of_hour(after)
        told = (1 - weight) * shares + weight * later
        around = self._of_hour(before - 1).shares, self._of_hour(after + 1).shares
        step = (later - shares) - ((shares - around[0]) + (around[1] - later)) / 2
        wrong = (min(weight, 1 - weight) * step) ** 2 / np.maximum(told, SHARE_MIN)
        with np.errstate(divide="ignore"):
            allowed = 2 * ALLOWED_EVIDENCE / self.cells.total(wrong)
        return Expected(told, np.minimum((1 - weight) * mass + weight * later_mass, allowed))

    def covered(self) -> Floats:
        """How many hours of the day (0 to 24) each stream has counts of, shape (D,)."""
        by_day = self.counts.reshape(-1, HOURS_A_DAY, self.cells.cells).sum(axis=0)
        covered: Floats = (self.cells.total(by_day) > 0).sum(axis=0).astype(np.float64)
        return covered

    def state(self) -> dict[str, Any]:
        """A copy of the arrays that the class describes."""
        return {
            "offsets": self.cells.offsets.copy(),
            "shares": self._shares.copy(),
            "mass": self._mass.copy(),
            "counts": self.counts.copy(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The season that `state()` was taken of."""
        cells = Ragged(np.array(state["offsets"], dtype=np.int64))
        season = cls(cells, state["shares"], state["mass"])
        season.counts = np.array(state["counts"], dtype=np.float64)
        return season

    def _of_hour(self, hour: int) -> Expected:
        hour %= HOURS_A_WEEK
        by_day = self.counts[hour % HOURS_A_DAY :: HOURS_A_DAY].sum(axis=0)
        day, week = self.cells.total(by_day), self.cells.total(self.counts[hour])
        shares = self._mixed(by_day, day, self._shares, DAY_WEIGHT)
        shares = self._mixed(self.counts[hour], week, shares, WEEK_WEIGHT)
        general = np.minimum(WEEK_WEIGHT, day + np.minimum(DAY_WEIGHT, self._mass))
        return Expected(shares, week + general)

    def _mixed(self, counts: Floats, totals: Floats, shares: Floats, weight: float) -> Floats:
        mixed: Floats = (counts + weight * shares) / self.cells.spread(totals + weight)
        return mixed


def neighbours(position: float, hours: int) -> tuple[int, int, float]:
    """The hours whose centres are around `position`, and the weight of the later one."""
    before = int(np.floor(position - 0.5))
    return before % hours, (before + 1) % hours, position - 0.5 - before
