"""What a policy of model risk asks for: one distance over a long window. Nothing alarms here."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.chance import (
    jensen_shannon_by_chance,
    ks_by_chance,
    psi_by_chance,
    spread_of,
    wasserstein_sd_by_chance,
    worth_of,
)
from detectors.distance import distances
from detectors.equal_shares import EqualShares, psi
from detectors.summary.layout import Layout
from service.monitor.detecting.windows import Freeze, step_seconds
from service.values.references import Reference
from service.values.watches import PolicyLimits, WindowLength

STEPS = 30
"""Steps a policy's window is kept in, at least: of 30 days they are days."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class PolicyWindow:
    """Counts by cell over the last `length.seconds` of event time, in steps of a thirtieth of it.

    It drops one whole step at a time, so it reaches back between 29/30 of its length and the whole.
    Nothing else is kept: some 2 KiB of a numeric stream, 7 KiB of one of 50 categories, however
    long the window is.
    """

    def __init__(self, length: WindowLength, pane_seconds: float, layout: Layout) -> None:
        self.length = length
        self.layout = layout
        self.step_seconds = step_seconds(length, pane_seconds, STEPS)
        self.end_seconds = -math.inf
        self.since_seconds: Floats = np.full(layout.stream_count, math.inf)
        self.total: Counts = np.zeros(layout.cell_count, dtype=np.int64)
        self.steps: dict[float, NDArray[Any]] = {}
        self._frozen: dict[float, Any] = {}

    def covered_seconds(self) -> Floats:
        """How far back the counts of each stream reach, shape (D,); 0 of one that has none."""
        if math.isinf(self.end_seconds):
            return np.zeros(self.layout.stream_count)
        oldest = math.ceil((self.end_seconds - self.length.seconds) / self.step_seconds - 1e-9)
        reached = np.maximum(self.since_seconds, oldest * self.step_seconds)
        return np.maximum(self.end_seconds - reached, 0.0)

    def add(self, start_seconds: float, end_seconds: float, cells: Counts) -> None:
        """Take the counts, shape (cells,), of a closed pane; they are not kept."""
        step = math.floor(start_seconds / self.step_seconds) * self.step_seconds
        if step not in self.steps:
            self.steps = {start: _narrow(counts) for start, counts in self.steps.items()}
            self.steps[step] = np.zeros_like(self.total)
        # A late pane may meet a step that was narrowed already.
        self.steps[step] = self.steps[step] + cells
        self._frozen.pop(step, None)
        self.total += cells
        self.since_seconds = np.minimum(self.since_seconds, start_seconds)
        self._advance(max(self.end_seconds, end_seconds))

    def carry(self, previous: "PolicyWindow", carried: Carried) -> None:
        """Begin with what `previous` has counted of the streams that stay the same."""
        cells = carried.of_cells(previous.layout.offsets, self.layout.offsets)
        self.since_seconds = carried.into(self.since_seconds, previous.since_seconds)
        self._take(
            {
                start: cells.into(np.zeros_like(self.total), counts.astype(np.int64))
                for start, counts in previous.steps.items()
            },
            previous.end_seconds,
        )

    def state(self, freeze: Freeze) -> dict[str, Any]:
        """Plain values and arrays for a snapshot; only the last step still changes."""
        last = max(self.steps, default=None)
        for start, counts in self.steps.items():
            if start != last and start not in self._frozen:
                self._frozen[start] = freeze({"cells": counts})
        return {
            "end_seconds": self.end_seconds,
            "since_seconds": self.since_seconds.copy(),
            "steps": [
                [start, self._frozen.get(start) or {"cells": counts}]
                for start, counts in self.steps.items()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken, though the window be another length: a longer one
        says that it does not reach all the way back yet. Of other streams nothing is taken.
        """
        steps = {start: np.array(kept["cells"]) for start, kept in state["steps"]}
        since = np.array(state["since_seconds"], dtype=np.float64)
        if len(since) != self.layout.stream_count:
            return
        if any(len(counts) != len(self.total) for counts in steps.values()):
            return
        self.since_seconds = since
        self._take(steps, state["end_seconds"])

    def _take(self, steps: dict[float, NDArray[Any]], end_seconds: float) -> None:
        for start in sorted(steps):
            counts = steps[start].astype(np.int64)
            self.steps[start] = self.steps.get(start, np.zeros_like(counts)) + counts
            self.total += counts
        self._advance(max(self.end_seconds, end_seconds))

    def _advance(self, end_seconds: float) -> None:
        self.end_seconds = end_seconds
        oldest = end_seconds - self.length.seconds
        for start in [start for start in self.steps if start < oldest - 1e-9]:
            self.total -= self.steps.pop(start)
            self._frozen.pop(start, None)


class PolicyTold(NamedTuple):
    """The streams of a layout against their reference, arrays of shape (D,).

    `distance` is NaN where a side has no value or the method is not defined, `expected` is what of
    it sampling alone explains; `bins` are those with anything on either side (of ks and
    wasserstein_sd: cells), `values` live values, `covered_seconds` how far back they reach.
    """

    distance: Floats
    expected: Floats
    values: Counts
    bins: Counts
    covered_seconds: Floats


class PolicyWatch:
    """The window of one model version, and its distance by the method that the policy names.

    `reference_cells` are the reference's counts by cell. Another method, other bins or limits take
    nothing from the window: it counts by cell.
    """

    def __init__(
        self,
        limits: PolicyLimits,
        reference: Reference,
        reference_cells: Counts,
        layout: Layout,
        pane_seconds: float,
    ) -> None:
        self.limits = limits
        self.window = PolicyWindow(limits.window, pane_seconds, layout)
        self._bins = EqualShares.of_reference(layout, reference_cells, limits.bins)
        self._reference = reference_cells
        self._scale = _scale(reference, layout)
        self._spread = (
            spread_of(layout, reference_cells, self._scale)
            if limits.method == "wasserstein_sd"
            else np.zeros(0)
        )
        self._measured: tuple[Floats, Counts] | None = None

    def add(self, start_seconds: float, end_seconds: float, cells: Counts) -> None:
        """Take a closed pane."""
        self.window.add(start_seconds, end_seconds, cells)
        self._measured = None

    def carry(self, previous: "PolicyWatch", carried: Carried) -> None:
        """Begin with what `previous` has counted of the streams that stay the same."""
        self.window.carry(previous.window, carried)
        self._measured = None

    def told(self, phi: Floats) -> PolicyTold:
        """What there is to tell now; every live value is worth 1 / `phi` (D,) independent ones."""
        if self._measured is None:
            self._measured = self._measure()
        distance, bins = self._measured
        values, before = (
            _values(self.window.layout, c) for c in (self.window.total, self._reference)
        )
        expected = self._by_chance(worth_of(values, before, phi), bins)
        covered = self.window.covered_seconds()
        return PolicyTold(distance, expected, values, bins, covered)

    def _measure(self) -> tuple[Floats, Counts]:
        """The distance, and over how many bins; computed once a pane."""
        live, layout = self.window.total, self.window.layout
        if self.limits.method in {"ks", "wasserstein_sd"}:
            told = distances(layout, live, self._reference, *self._scale)
            column: Floats = getattr(told, self.limits.method)
            return column, psi(layout, live, self._reference)[1]
        joined, before = self._bins.join(live), self._bins.join(self._reference)
        index, bins = psi(self._bins.layout, joined, before)
        if self.limits.method == "psi":
            return index, bins
        return distances(self._bins.layout, joined, before, *self._scale).jensen_shannon, bins

    def _by_chance(self, worth: Floats, bins: Counts) -> Floats:
        if self.limits.method == "psi":
            return psi_by_chance(worth, bins)
        if self.limits.method == "jensen_shannon":
            return jensen_shannon_by_chance(worth, bins)
        if self.limits.method == "ks":
            return ks_by_chance(worth)
        return wasserstein_sd_by_chance(worth, self._spread)


def _scale(reference: Reference, layout: Layout) -> tuple[Floats, Floats, Floats]:
    """Sd, minimum and maximum of the numeric streams, NaN of the others; each of shape (D,)."""
    columns = np.full((3, layout.stream_count), np.nan)
    for i, stream in enumerate(reference.streams[: layout.numeric_count]):
        columns[:, i] = stream.sd, stream.minimum, stream.maximum
    return columns[0], columns[1], columns[2]


def _values(layout: Layout, cells: Counts) -> Counts:
    """Valid values of each stream, shape (D,)."""
    if not layout.stream_count:
        return np.zeros(0, dtype=np.int64)
    rows: Counts = np.add.reduceat(cells, layout.offsets[:-1])
    return rows - cells[layout.missing_cells()] - cells[layout.invalid_cells()]


def _narrow(counts: NDArray[Any]) -> NDArray[Any]:
    """Counts in half the room, where they fit: a step that is over hardly ever changes."""
    return counts.astype(np.uint32) if counts.max(initial=0) <= np.iinfo(np.uint32).max else counts
