"""Whether records of a model are due: how surprising its silence would be, by its own history.

A history is rows by step, as volumes keep them (`volume_stream`). Each step of silence surprises by
-ln(1 - q) nats, q being the share of steps with rows in the hour of the week: the least of the
weeks known and of the hours around, so that the hour in which work ends, and a Monday that was a
holiday once, promise nothing. What was silent as surprisingly before does not count as silence now.
"""

import math
from collections.abc import Collection
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detectors.season import HOURS_A_WEEK, hour_of_week
from service.monitor.detecting.volume_stream import (
    DAY_SECONDS,
    KEPT_SECONDS,
    KNOWN_SECONDS,
    NOT_USUAL,
)

HOUR_SECONDS = 3600.0

SURPRISE = math.log(200.0)
"""Nats from which silence is a surprise: one in two hundred of such hours would be silent."""

BEYOND = 1.5
"""By so much it has to exceed the most surprising silence that is known."""

AROUND = 3
"""An hour of the week is taken with the one before and the one after."""


class History(NamedTuple):
    """Rows of steps one after the other, the oldest first, shape (T,); NOT_USUAL where the volume
    was not as usual. The first step begins at `first_seconds` (epoch), a whole number of steps.
    """

    first_seconds: float
    step_seconds: float
    rows: NDArray[np.int64]


class Rhythm(NamedTuple):
    """When a model has records. `nats` (168,): how much a silent step in that hour of the week
    surprises. `limit`: from so many nats on silence is a surprise.
    """

    nats: NDArray[np.float64]
    limit: float
    step_seconds: float

    def is_due(
        self, last_seconds: float, until_seconds: float, zone: ZoneInfo, holidays: Collection[date]
    ) -> bool:
        """Whether it is a surprise that no record came after `last_seconds` until then (epoch)."""
        # A silence of so many steps holds one whole step less for certain.
        first = last_seconds + self.step_seconds
        surprise, at = 0.0, max(first, until_seconds - KEPT_SECONDS)
        while at < until_seconds and surprise < self.limit:
            end = min(until_seconds, (math.floor(at / HOUR_SECONDS) + 1) * HOUR_SECONDS)
            hour = int(hour_of_week(at, zone, holidays.__contains__))
            surprise += float(self.nats[hour]) * (end - at) / self.step_seconds
            at = end
        return surprise >= self.limit


def merged(histories: Collection[History]) -> History | None:
    """The history of a model of those of its versions, which have steps of one length; a step that
    was not as usual in one of them is not. None without any step.
    """
    known = [history for history in histories if len(history.rows)]
    if not known:
        return None
    step = known[0].step_seconds
    firsts = [round(history.first_seconds / step) for history in known]
    first = min(firsts)
    length = max(at + len(h.rows) for at, h in zip(firsts, known, strict=True)) - first
    rows = np.zeros(length, dtype=np.int64)
    unusual = np.zeros(length, dtype=np.bool_)
    for at, history in zip(firsts, known, strict=True):
        here = slice(at - first, at - first + len(history.rows))
        rows[here] += np.maximum(history.rows, 0)
        unusual[here] |= history.rows == NOT_USUAL
    rows[unusual] = NOT_USUAL
    return History(first * step, step, rows)


def learn_rhythm(
    history: History, zone: ZoneInfo, holidays: Collection[date] = ()
) -> Rhythm | None:
    """The rhythm of a history; None while less than a day is known.

    By the hour of the week once two weeks are known. Before, every hour promises what the poorest
    hour did: who has nights waits for two weeks, who works around the clock for a day.
    """
    starts = history.first_seconds + np.arange(len(history.rows)) * history.step_seconds
    usual = history.rows != NOT_USUAL
    known_seconds = len(history.rows) * history.step_seconds
    if known_seconds < DAY_SECONDS or not usual.any():
        return None
    blocks = np.floor(starts / HOUR_SECONDS).astype(np.int64)
    hours, block = np.unique(blocks[usual], return_inverse=True)
    share = np.bincount(block, weights=history.rows[usual] > 0) / np.bincount(block)
    places = np.array(
        [int(hour_of_week(h * HOUR_SECONDS, zone, holidays.__contains__)) for h in hours.tolist()]
    )
    by_week = known_seconds >= KNOWN_SECONDS
    least = _least(share, places, by_week=by_week)
    # However often there was something, one more step might not have had it.
    compared = usual.sum() * (AROUND / HOURS_A_WEEK if by_week else 1.0)
    nats = -np.log1p(-np.minimum(least, 1 - 1 / (compared + 1)))
    of_step = np.zeros(len(history.rows))
    of_step[usual] = nats[places[block]]
    worst = _worst_silence(history.rows == 0, of_step)
    return Rhythm(nats, max(SURPRISE, BEYOND * worst), history.step_seconds)


def _least(
    share: NDArray[np.float64], places: NDArray[np.int64], *, by_week: bool
) -> NDArray[np.float64]:
    """The least share that an hour of the week and those around it had, (168,)."""
    if not by_week:
        return np.full(HOURS_A_WEEK, share.min())
    least = np.full(HOURS_A_WEEK, np.inf)
    np.minimum.at(least, places, share)
    least[np.isinf(least)] = 0.0
    around: NDArray[np.float64] = np.minimum(np.roll(least, 1), np.roll(least, -1))
    np.minimum(least, around, out=around)
    return around


def _worst_silence(silent: NDArray[np.bool_], nats: NDArray[np.float64]) -> float:
    """The most nats that silent steps in a row have, 0 without any."""
    total = np.concatenate(([0.0], np.cumsum(np.where(silent, nats, 0.0))))
    edges = np.diff(np.concatenate(([0], silent.astype(np.int8), [0])))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return float(np.max(total[ends] - total[begins], initial=0.0))
