"""Rows of files into panes, in order of time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detectors.summary.layout import Layout

SLACK_SECONDS, SLACK_PANES = 3600.0, 3600
"""A row may come so much later than newer ones, and so many panes: partitions, and the files of
hours, overlap a little."""

PANES_AT_ONCE = 256


class OrderedPanes:
    """Counts by pane of the rows from `from_seconds` on.

    `rows` were counted. `late` came more than `slack_seconds` after newer ones, and `timeless`
    without a time that can be read: these are left out. How rows come in tables plays no part.
    """

    def __init__(self, layout: Layout, pane_seconds: float, from_seconds: float) -> None:
        self.rows = self.late = self.timeless = 0
        self._layout = layout
        self._pane_seconds = pane_seconds
        self._first = int(np.floor(from_seconds / pane_seconds))
        self._slack = min(max(1, round(SLACK_SECONDS / pane_seconds)), SLACK_PANES)
        self._newest = self._first
        self._open: dict[int, NDArray[np.int64]] = {}

    @property
    def slack_seconds(self) -> float:
        """How late a row may be."""
        return self._slack * self._pane_seconds

    def add(
        self, times_seconds: NDArray[np.float64], cells: NDArray[np.int64]
    ) -> Iterator[tuple[float, NDArray[np.int64]]]:
        """Take rows: times (n,), NaN where there is none, and cells (streams, n) within streams.

        Gives the panes that no later row can change: start, and counts by cell of the layout.
        """
        timed = np.flatnonzero(~np.isnan(times_seconds))
        self.timeless += len(times_seconds) - len(timed)
        panes = np.floor(times_seconds[timed] / self._pane_seconds).astype(np.int64)
        newest = np.maximum.accumulate(np.maximum(panes, self._newest))
        late = panes < newest - self._slack
        wanted = panes >= self._first
        self.late += int((late & wanted).sum())
        taken = wanted & ~late
        self.rows += int(taken.sum())
        self._count(panes[taken], cells[:, timed[taken]])
        if len(newest):
            self._newest = int(newest[-1])
        yield from self._closed(self._newest - self._slack)

    def finish(self) -> Iterator[tuple[float, NDArray[np.int64]]]:
        """The panes that are left: no further row comes."""
        yield from self._closed(self._newest + 1)

    def _closed(self, before: int) -> Iterator[tuple[float, NDArray[np.int64]]]:
        for pane in sorted(pane for pane in self._open if pane < before):
            yield pane * self._pane_seconds, self._open.pop(pane)

    def _count(self, panes: NDArray[np.int64], cells: NDArray[np.int64]) -> None:
        order = np.argsort(panes, kind="stable")
        present, slots = np.unique(panes[order], return_inverse=True)
        for first in range(0, len(present), PANES_AT_ONCE):
            some = present[first : first + PANES_AT_ONCE]
            rows = slice(*np.searchsorted(slots, (first, first + len(some))).tolist())
            counts = self._counts(slots[rows] - first, cells[:, order[rows]], len(some))
            for pane, counted in zip(some.tolist(), counts, strict=True):
                known = self._open.get(pane)
                self._open[pane] = counted if known is None else known + counted

    def _counts(
        self, slots: NDArray[np.int64], cells: NDArray[np.int64], panes: int
    ) -> NDArray[np.int64]:
        """Shape (panes, cells of the layout)."""
        offsets = self._layout.offsets
        counts = np.zeros((panes, self._layout.cell_count), dtype=np.int64)
        for stream, places in enumerate(cells):
            first, end = int(offsets[stream]), int(offsets[stream + 1])
            size = end - first
            counted = np.bincount(slots * size + places, minlength=panes * size)
            counts[:, first:end] = counted.reshape(panes, size)
        return counts
