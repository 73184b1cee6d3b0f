"""What was seen of one set of streams in one pane: the value that everything after it judges."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from detectors.summary.columns import Columns
from detectors.summary.counting import (
    are_few,
    check_rows,
    count_codes,
    count_columns,
    count_values,
)
from detectors.summary.distinct import Distinct
from detectors.summary.heavy_hitters import HeavyNames, HeavyNumbers
from detectors.summary.layout import Layout
from detectors.summary.moments import Moments
from detectors.summary.quantiles import Quantiles
from detectors.summary.waiting import ROWS_WAITING_MAX, Waiting

REGISTERS_LOG2 = 9
"""Distinct counts have 2**9 registers a stream: 4.6 % standard error in half a KiB."""

Novelties = Mapping[int, tuple[NDArray[np.int64], list[str]]]
"""By position among the categorical streams: rows and names that have no cell of their own."""


class Sketches(NamedTuple):
    """What is kept of values beside the cells."""

    moments: Moments
    quantiles: Quantiles
    distinct: Distinct
    numbers: HeavyNumbers

    def update(self, columns: Columns) -> None:
        """Add columns of numeric streams."""
        self.moments.update(columns)
        self.quantiles.update(columns.runs)
        self.distinct.update(columns.runs)
        self.numbers.update(columns.runs)


class Summary:
    """Counts, moments, quantiles, distinct counts and heavy hitters of D streams.

    rows: rows seen (int). weight: the predictions they stand for.
    cells: int64, flat, laid out by `layout`; each stream's cells add up to `rows`.
    moments, quantiles, numbers (heavy hitters): of the numeric streams, finite values only.
    distinct: of all streams; of a categorical one only the names without a cell.
    names: heavy hitters among the names without a cell, one sketch a categorical stream.
    sketches, waiting: the parts. Read the properties instead, which count what waits.

    `merge` is associative and commutative; integers are exact, moments within 1e-9 relative, heavy
    hitters within their bound. Few rows at a time are kept waiting, and counted when the cells are
    read, sketched when a sketch is. It shows in nothing but speed: whatever is read is up to date.
    """

    def __init__(self, layout: Layout) -> None:
        numeric = layout.numeric_count
        self.layout = layout
        self.rows = 0
        self.weight = 0.0
        self._cells = np.zeros(layout.cell_count, dtype=np.int64)
        self.sketches = Sketches(
            Moments(numeric),
            Quantiles(numeric),
            Distinct(layout.stream_count, REGISTERS_LOG2),
            HeavyNumbers(numeric),
        )
        self.names = [HeavyNames() for _ in layout.categories]
        self.waiting = Waiting()

    def update(
        self,
        numeric: NDArray[np.float64],
        codes: NDArray[np.int32],
        novel: Novelties,
        weight: float,
    ) -> None:
        """Add n rows; n = 0 adds nothing. The arguments are neither changed nor kept.

        numeric: shape (n, numeric streams), NaN = missing, an infinity = invalid.
        codes: shape (n, categorical streams): 0..C-1 a category, C = other, -1 missing, -2 invalid,
        -3 unseen. novel: names of the rows that are other or unseen. weight: predictions of all n.

        Raises:
            ValueError: an array has another shape, or a code no cell.
        """
        n = len(numeric)
        if n == 0:
            return
        check_rows(self.layout, numeric, codes)
        self.rows += n
        self.weight += float(weight)
        for position, (_, names) in novel.items():
            self.names[position].update(names)
            self.sketches.distinct.update_names(self.layout.numeric_count + position, set(names))
        if n >= ROWS_WAITING_MAX:
            self._sketch(self._count(numeric, codes))
            return
        self.waiting.append(numeric, codes)
        if self.waiting.full:
            self._settle()

    def merge(self, *others: "Summary") -> None:
        """Add what `others` have seen, which are left as they are; at once costs less.

        Raises:
            ValueError: the layouts differ in their cells: the panes had different references.
        """
        for other in others:
            mine, theirs = self.layout, other.layout
            if mine is not theirs and not np.array_equal(mine.offsets, theirs.offsets):
                raise ValueError(
                    "summaries with different cells cannot merge: bin both by one layout"
                )
        self._count_fresh()
        for other in others:
            self.rows += other.rows
            self.weight += other.weight
            self._cells += other.cells
            for names, more in zip(self.names, other.names, strict=True):
                names.merge(more)
            self.sketches.distinct.merge(other.sketches.distinct)
            self.waiting.extend_counted(other.waiting)
        sketched = [other.sketches for other in others if other.rows > other.waiting.rows]
        for one in sketched:
            self.sketches.moments.merge(one.moments)
        self.sketches.quantiles.merge(*(one.quantiles for one in sketched))
        self.sketches.numbers.merge(*(one.numbers for one in sketched))
        if self.waiting.full:
            self._settle()

    def copy(self) -> Self:
        """The same counts, independent of this one."""
        return self.from_state(self.layout, self.state())

    @property
    def cells(self) -> NDArray[np.int64]:
        """Counts of all cells, flat, by `layout`."""
        self._count_fresh()
        return self._cells

    @property
    def moments(self) -> Moments:
        """Moments of the numeric streams."""
        self._settle()
        return self.sketches.moments

    @property
    def quantiles(self) -> Quantiles:
        """Quantile histograms of the numeric streams."""
        self._settle()
        return self.sketches.quantiles

    @property
    def distinct(self) -> Distinct:
        """Distinct counters of all streams; of categorical ones, for names without a cell."""
        self._settle()
        return self.sketches.distinct

    @property
    def numbers(self) -> HeavyNumbers:
        """Heavy hitters of the numeric streams."""
        self._settle()
        return self.sketches.numbers

    def quantile(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles within 0.8 %, shape (numeric streams, len(probabilities)), NaN if empty."""
        moments = self.moments
        seen = np.where(moments.n > 0, 1.0, np.nan)
        return self.quantiles.quantile(
            probabilities, moments.minimum * seen, moments.maximum * seen
        )

    def distinct_counts(self) -> NDArray[np.float64]:
        """How many different values each stream has shown, shape (D,).

        Estimated, but for known categories, which are counted.
        """
        counts = self.distinct.estimate()
        numeric = self.layout.numeric_count
        for position, names in enumerate(self.layout.categories):
            start = int(self.layout.offsets[numeric + position])
            known = self._cells[start : start + len(names)]
            counts[numeric + position] += np.count_nonzero(known)
        return counts

    def heavy_hitters(self, stream: int) -> list[tuple[float | str, int]]:
        """The most frequent values of one stream with counts, largest first, ties by value.

        Known categories are counted exactly; the rest is never over and at most the sketch's
        `error` under the true count.
        """
        numeric = self.layout.numeric_count
        if stream < numeric:
            return list(self.numbers.top(stream))
        names = self.layout.categories[stream - numeric]
        start = int(self.layout.offsets[stream])
        counts = dict(zip(names, self.cells[start : start + len(names)].tolist(), strict=True))
        counts.update(self.names[stream - numeric].counts)
        held = [pair for pair in counts.items() if pair[1] > 0]
        return sorted(held, key=lambda pair: (-pair[1], pair[0]))

    def state(self) -> dict[str, Any]:
        """Plain values and arrays under flat names ("moments.mean"), all copies."""
        parts = {
            "moments": self.moments.state(),
            "quantiles": self.quantiles.state(),
            "distinct": self.distinct.state(),
            "numbers": self.numbers.state(),
        }
        parts |= {f"names.{i}": names.state() for i, names in enumerate(self.names)}
        flat = {f"{part}.{name}": value for part, s in parts.items() for name, value in s.items()}
        return {"rows": self.rows, "weight": self.weight, "cells": self.cells.copy(), **flat}

    @classmethod
    def from_state(cls, layout: Layout, state: Mapping[str, Any]) -> Self:
        """The summary that `state` was taken of.

        Raises:
            ValueError: `layout` has other cells than the state.
        """
        kept = (len(state["moments.n"]), len(state["cells"]))
        if kept != (layout.numeric_count, layout.cell_count):
            raise ValueError(
                f"a state of {kept[0]} numeric streams and {kept[1]} cells needs its own layout,"
                f" not one of {layout.numeric_count} and {layout.cell_count}"
            )
        summary = cls(layout)
        summary.rows = int(state["rows"])
        summary.weight = float(state["weight"])
        summary._cells = np.array(state["cells"], dtype=np.int64)
        parts = _parts(state)
        summary.sketches = Sketches(
            Moments.from_state(parts["moments"]),
            Quantiles.from_state(parts["quantiles"]),
            Distinct.from_state(parts["distinct"]),
            HeavyNumbers.from_state(parts["numbers"]),
        )
        summary.names = [
            HeavyNames.from_state(parts[f"names.{i}"]) for i in range(len(layout.categories))
        ]
        return summary

    def _settle(self) -> None:
        """Sketch the rows that wait, and count those of them that are not counted."""
        if not self.waiting.rows:
            return
        if self.waiting.counted:
            self._count_fresh()
            columns = Columns.of_rows(self.waiting.take()[0])
        else:
            columns = self._count(*self.waiting.take())
        self._sketch(columns)

    def _count_fresh(self) -> None:
        fresh = self.waiting.take_uncounted()
        if fresh is None:
            return
        numeric, codes = fresh
        if are_few(self.layout, len(numeric)):
            count_codes(self._cells, self.layout, codes)
            count_values(self._cells, self.layout, numeric)
        else:
            self._count(numeric, codes)

    def _count(self, numeric: NDArray[np.float64], codes: NDArray[np.int32]) -> Columns:
        """Count rows into the cells; returns their columns for the sketches."""
        count_codes(self._cells, self.layout, codes)
        columns = Columns.of_rows(numeric)
        if self.layout.numeric_count:
            count_columns(self._cells, self.layout, columns)
        return columns

    def _sketch(self, columns: Columns) -> None:
        if self.layout.numeric_count:
            self.sketches.update(columns)


def _parts(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The states of the parts, by their names."""
    parts: dict[str, dict[str, Any]] = {}
    for name, value in state.items():
        part, _, field = name.rpartition(".")
        parts.setdefault(part, {})[field] = value
    return parts
