"""Cells joined into bins of equal share of the reference: deciles, as policies of model risk ask.

Cells lie at more quantiles than a policy's bins, all deciles among them, so a bin is some cells
next to each other and its counts are exact: nothing is estimated from a sketch.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.summary.layout import Layout

SMALLEST = 0.5
"""A bin with less than this part of an equal share joins its smaller neighbour."""

PRIOR = 0.5
"""Rows added to every bin that has anything, on both sides, so that no share is 0."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EqualShares:
    """`layout` has the bins as its cells; `starts` is the first cell of each in the finer layout.

    Of a numeric stream the edges are those of its cells that come nearest to k / bins of the
    reference's values, k = 1 .. bins - 1, each once. A value as frequent as several bins (zeros, a
    small integer) has a cell of its own and cannot be cut: there are fewer bins then. A bin smaller
    than half an equal share joins the smaller neighbour. The outermost bins are open; only next to
    a value that fills a bin alone, what is beyond the reference's range is a bin of its own, which
    is empty there: so a constant that becomes another is seen. Categories are taken as they are,
    with `other` and `unseen`.
    """

    layout: Layout
    starts: Counts

    @classmethod
    def of_reference(cls, layout: Layout, counts: Counts, bins: int) -> Self:
        """The bins of a reference with these counts, shape (cell_count,). `bins` is at least 2."""
        edges, starts = [], []
        for stream in range(layout.stream_count):
            first, size = int(layout.offsets[stream]), int(layout.value_cells[stream])
            inner = np.arange(1, size)
            if stream < layout.numeric_count:
                inner = _cuts(counts[layout.values_of(stream)], bins)
                edges.append(layout.edges[stream][inner - 1])
            starts.append(first + np.concatenate(([0], inner, [size, size + 1])))
        joined = np.concatenate(starts) if starts else np.zeros(0)
        return cls(Layout(tuple(edges), layout.categories), joined.astype(np.int64))

    def join(self, counts: Counts) -> Counts:
        """The counts by bin of counts by cell."""
        return np.add.reduceat(counts, self.starts) if len(self.starts) else counts


def psi(layout: Layout, live: Counts, reference: Counts) -> tuple[Floats, Counts]:
    """The population stability index of each stream, and over how many bins; shapes (D,).

    sum (p - q) ln(p / q) over the value cells of `layout` that have anything on either side, p and
    q = (count + 0.5) / (total + 0.5 bins). NaN where a side has no value; 0 over a single bin.
    """
    value = np.ones(layout.cell_count, dtype=np.bool_)
    value[layout.missing_cells()] = value[layout.invalid_cells()] = False
    owner = np.repeat(np.arange(layout.stream_count), layout.value_cells)
    seen = (live[value] > 0) | (reference[value] > 0)
    owner, live, reference = owner[seen], live[value][seen], reference[value][seen]
    bins = np.bincount(owner, minlength=layout.stream_count)
    totals = [_sums(owner, side, layout.stream_count) for side in (live, reference)]
    p, q = (
        (side + PRIOR) / (total + PRIOR * bins)[owner]
        for side, total in zip((live, reference), totals, strict=True)
    )
    told = _sums(owner, (p - q) * np.log(p / q), layout.stream_count)
    return np.where((totals[0] > 0) & (totals[1] > 0), told, np.nan), bins


def _sums(owner: Counts, values: NDArray[Any], streams: int) -> Floats:
    return np.bincount(owner, weights=values, minlength=streams).astype(np.float64)


def _cuts(counts: Counts, bins: int) -> Counts:
    """Cells of one numeric stream before which a bin begins, ascending, but for the first."""
    below = np.cumsum(counts)
    total = int(below[-1])
    if not total or len(counts) == 1:
        return np.arange(1, len(counts))
    inside = np.flatnonzero((below[:-1] > 0) & (below[:-1] < total))
    cuts = _beyond(counts, total / bins)
    if len(inside):
        wanted = total * np.arange(1, bins) / bins
        nearest = np.abs(below[inside, None] - wanted).argmin(axis=0)
        cuts |= set((inside[nearest] + 1).tolist())
    return np.array(_without_small(sorted(cuts), below, SMALLEST * total / bins), dtype=np.int64)


def _beyond(counts: Counts, share: float) -> set[int]:
    """Where the cells next to the empty one at an end begin, if they hold an equal share alone."""
    held = np.flatnonzero(counts)
    first, last = int(held[0]), int(held[-1])
    below = {first} if first and counts[first] >= share else set()
    above = {last + 1} if last + 1 < len(counts) and counts[last] >= share else set()
    return below | above


def _without_small(cuts: list[int], below: Counts, least: float) -> list[int]:
    """Cuts until every bin that is not empty has `least` values; the smallest goes first."""
    while cuts:
        rows = np.diff(np.concatenate(([0], below[np.array(cuts) - 1], below[-1:])))
        small = [i for i in range(len(rows)) if 0 < rows[i] < least]
        if not small:
            break
        at = min(small, key=lambda i: int(rows[i]))
        beside = [i for i in (at - 1, at + 1) if 0 <= i < len(rows) and rows[i]]
        if not beside:
            break
        cuts = [cut for cut in cuts if cut != cuts[max(at, min(beside, key=rows.__getitem__)) - 1]]
    return cuts
