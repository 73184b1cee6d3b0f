"""What a replay could not have seen: hours of few events, streams that never change or speak."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from service.monitor.detecting.sensing import HOUR_SECONDS, typical_shift
from service.monitor.judging.comparison import Comparison
from service.values.backtests import HourOfDay
from service.values.streams import StreamKey


class HoursOfDay:
    """Rows and panes by hour of the day (UTC)."""

    def __init__(self) -> None:
        self._rows = np.zeros(24)
        self._panes = np.zeros(24)

    def add(self, start_seconds: float, rows: int) -> None:
        """Take one pane."""
        hour = int(start_seconds % 86_400 // HOUR_SECONDS)
        self._rows[hour] += rows
        self._panes[hour] += 1

    def report(self, comparison: Comparison | None) -> tuple[HourOfDay, ...]:
        """The hours that had events, with what `comparison` would notice within an hour."""
        found = []
        for hour in np.flatnonzero(self._panes).tolist():
            events = float(self._rows[hour] / self._panes[hour])
            shift = math.nan if comparison is None else _smallest_shift(comparison, events)
            found.append(HourOfDay(hour, events, shift))
        return tuple(found)


def constant_streams(comparison: Comparison, seen: NDArray[np.int64]) -> Iterable[StreamKey]:
    """Streams with one value in the reference that showed only its cell in `seen` (cells,)."""
    for i, stream in enumerate(comparison.reference.streams):
        cells = seen[comparison.layout.values_of(i)]
        if stream.distinct == 1 and np.count_nonzero(cells) == 1:
            yield stream.key


def vague_streams(
    comparison: Comparison, blind_panes: NDArray[np.int64], panes: int
) -> Iterable[StreamKey]:
    """Streams of whose shape, in more than half of the panes, too little was known to judge it."""
    for key, blind in zip(comparison.streams, blind_panes.tolist(), strict=True):
        if 2 * blind > panes:
            yield key


def blind_streams(comparison: Comparison, seen: NDArray[np.int64]) -> Iterable[StreamKey]:
    """Streams without a valid value in the reference, or in all that was `seen` (cells,)."""
    for i, key in enumerate(comparison.plan.streams):
        cells = seen[comparison.layout.values_of(i)]
        if not comparison.reference_values[i] or not cells.sum():
            yield key


def _smallest_shift(comparison: Comparison, events: float) -> float:
    """The smallest shift of a mean, in sd, that would be noticed within an hour of panes of so many
    events, in the typical numeric stream; infinity without any.
    """
    shift = typical_shift(comparison.detection, events)
    return math.inf if math.isnan(shift) else shift
