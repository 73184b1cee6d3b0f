"""What belongs to each alarm: the counts before and at it, its score, and who saw it when.

A pane of few rows does not tell by itself what changed, and a window that ends with it holds mostly
what was before. There the counts are of the window as of the highest score, not long after.
"""

import math
from collections import deque

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from service.monitor.counting.panes import Pane
from service.monitor.judging.comparison import ROWS_WORTH_TELLING, Comparison, Transition
from service.monitor.judging.evidence import without_values
from service.values.backtests import Evidence, Histogram, ScoreLine
from service.values.streams import ModelKey, StreamKey, ValueType

BEFORE_PANES, AFTER_PANES = 60, 120
"""How much of the score is kept around the start of an alarm."""

ALARMS_MAX = 2000
"""Alarms whose evidence is kept; who has more looks at none of them."""

AlarmKey = tuple[ModelKey, StreamKey, float]
"""Model version, stream, and the start of the pane of the alarm."""


class _Running(Struct):
    """`vague`: its histogram is of a window, most of which was before the change."""

    peak: float
    seen_after: dict[str, float]
    histogram: Histogram
    times: list[float]
    scores: list[float]
    vague: bool = False
    room: int = AFTER_PANES
    over: bool = False


class AlarmEvidence:
    """Follows the alarms of one comparison; `found` is shared by all comparisons."""

    def __init__(
        self, comparison: Comparison, pane_seconds: float, found: dict[AlarmKey, Evidence]
    ) -> None:
        self._comparison = comparison
        self._pane_seconds = pane_seconds
        self._found = found
        self._recent: deque[tuple[float, NDArray[np.float64]]] = deque(maxlen=BEFORE_PANES)
        self._running: dict[tuple[int, float], _Running] = {}

    def add(self, pane: Pane, scores: NDArray[np.float64], changed: list[Transition]) -> None:
        """Take what was made of one pane."""
        streams = self._comparison.streams
        for change in changed:
            stream = streams.index(change.stream)
            if change.drifted:
                self._begin(stream, pane, change)
            else:
                for (other, _), running in self._running.items():
                    running.over = running.over or other == stream
        for (stream, started), running in list(self._running.items()):
            self._follow(stream, started, running, pane, float(scores[stream]))
        self._recent.append((pane.start_seconds, scores))

    def finish(self) -> None:
        """Nothing more comes."""
        for stream, started in list(self._running):
            self._keep(stream, started)

    def _begin(self, stream: int, pane: Pane, change: Transition) -> None:
        if len(self._found) + len(self._running) >= ALARMS_MAX:
            return
        self._running[stream, pane.start_seconds] = _Running(
            peak=change.score,
            seen_after={},
            histogram=histogram(self._comparison, pane, self._pane_seconds, stream),
            times=[time for time, _ in self._recent],
            scores=[float(earlier[stream]) for _, earlier in self._recent],
            vague=pane.rows < ROWS_WORTH_TELLING,
        )

    def _follow(
        self, stream: int, started: float, running: _Running, pane: Pane, score: float
    ) -> None:
        now = pane.start_seconds
        if running.vague and running.room and not running.over and score > running.peak:
            running.histogram = histogram(self._comparison, pane, self._pane_seconds, stream)
        if running.room:
            running.room -= 1
            running.times.append(now)
            running.scores.append(score)
        if not running.over:
            running.peak = max(running.peak, score)
            for bank in self._comparison.banks:
                if bank.alarming[stream]:
                    running.seen_after.setdefault(bank.name, now - started)
        elif not running.room:
            self._keep(stream, started)

    def _keep(self, stream: int, started: float) -> None:
        running = self._running.pop((stream, started))
        line = ScoreLine(self._pane_seconds, tuple(running.times), tuple(running.scores))
        key = (self._comparison.key, self._comparison.streams[stream], started)
        self._found[key] = Evidence(running.peak, running.seen_after, running.histogram, line)


def histogram(comparison: Comparison, pane: Pane, pane_seconds: float, stream: int) -> Histogram:
    """The reference's counts of a stream, and those live now: of the pane where it has rows enough
    to tell, else of the shortest window that has a value.
    """
    live, start, end = pane.summary.cells, pane.start_seconds, pane.start_seconds + pane_seconds
    if pane.rows < ROWS_WORTH_TELLING:
        for window in comparison.windows:
            if comparison.cells_of(stream, window.total.cells)[:-2].any():
                live, start, end = window.total.cells, window.start_seconds, window.end_seconds
                break
    derived = stream >= comparison.layout.stream_count
    start = start if math.isfinite(start) else pane.start_seconds
    known = None if derived else comparison.reference.streams[stream]
    if known is not None and comparison.hides(stream):
        return _without_values(comparison, stream, live, (start, end))
    return Histogram(
        type=ValueType.CATEGORICAL if known is None else known.type,
        edges=() if known is None else tuple(known.edges.tolist()),
        categories=comparison.names_of(stream)[:1] if known is None else known.categories,
        minimum=math.nan if known is None else known.minimum,
        maximum=math.nan if known is None else known.maximum,
        reference=tuple(comparison.cells_of(stream, comparison.counts).tolist()),
        live=tuple(comparison.cells_of(stream, live).tolist()),
        from_seconds=start,
        to_seconds=end,
    )


def _without_values(
    comparison: Comparison, stream: int, live: NDArray[np.int64], times: tuple[float, float]
) -> Histogram:
    """As shares of cells that have no names and no edges."""
    seen = comparison.cells_of(stream, comparison.counts).tolist()
    names, reference = without_values(comparison, stream, seen)
    _, now = without_values(comparison, stream, comparison.cells_of(stream, live).tolist())
    return Histogram(
        type=ValueType.CATEGORICAL,
        edges=(),
        categories=names,
        minimum=math.nan,
        maximum=math.nan,
        reference=tuple(reference),
        live=tuple(now),
        from_seconds=times[0],
        to_seconds=times[1],
    )
