"""A number for every cell, so that the mean of any stream can be watched from its counts alone.

Means of values mislead where tails are heavy; means of *normal scores* (van der Waerden, 1952) do
not: a cell's score is the mean of a standard normal over the cell's share of the reference. The
cells of a categorical stream have no order, so they are put in the order of their frequency,
`other` and `unseen` last: a mix that moves towards the rare moves the mean up. Surprisal (-ln p)
sees the same on skewed mixes and nothing where categories are equally frequent, a fair boolean
among them. Neither sees a change that keeps the mean score (a middle category growing at the cost
of both sides).
"""

from dataclasses import dataclass
from math import exp, pi, sqrt
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detectors.change.observation import Observation
from detectors.summary.layout import Layout

PRIOR = 0.5
"""Rows that every value cell has seen beforehand, so that no share is 0 (Jeffreys)."""

_STANDARD_NORMAL = NormalDist()


@dataclass(frozen=True, eq=False)
class CellScores:
    """A score for each cell of a layout.

    `values`, shape (cell_count,): over the value cells of a stream they have the mean 0 under the
    reference's shares and the variance 1 under its shares with `PRIOR`; 0 for missing and invalid.
    All are finite: on a constant stream (one cell has everything) that cell has 0 and every other
    about sqrt(rows / PRIOR). Streams without a value in the reference have 0 everywhere.
    """

    values: NDArray[np.float64]

    @classmethod
    def from_reference(cls, layout: Layout, counts: NDArray[np.int64]) -> Self:
        """The scores that follow from the reference's counts, shape (cell_count,)."""
        values = np.zeros(layout.cell_count)
        for stream in range(layout.stream_count):
            cells = layout.values_of(stream)
            ordered = stream < layout.numeric_count
            values[cells] = _scores(np.asarray(counts[cells], dtype=np.float64), ordered=ordered)
        return cls(values)

    def ranges(self, layout: Layout) -> NDArray[np.float64]:
        """The largest less the smallest score of each stream's value cells, shape (D,)."""
        scored = (self.values[layout.values_of(stream)] for stream in range(layout.stream_count))
        return np.array([np.ptp(values) for values in scored], dtype=np.float64)


def observe(layout: Layout, scores: CellScores, cells: NDArray[np.int64]) -> Observation:
    """What the counts `cells` of one pane, shape (cell_count,), say of each stream's mean score.

    `n` is how many values are in value cells (0 if none: not seen), `mean` their mean score, `m2`
    the sum of squared deviations from it.
    """
    if layout.stream_count == 0:
        return Observation(np.zeros(0), np.zeros(0), np.zeros(0))
    starts = layout.offsets[:-1]
    weighted = cells * scores.values
    unvalued = cells[layout.missing_cells()] + cells[layout.invalid_cells()]
    n = (np.add.reduceat(cells, starts) - unvalued).astype(np.float64)
    total = np.add.reduceat(weighted, starts)
    squares = np.add.reduceat(weighted * scores.values, starts)
    mean = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    return Observation(n, mean, np.maximum(squares - total * mean, 0.0))


def _scores(counts: NDArray[np.float64], *, ordered: bool) -> NDArray[np.float64]:
    """Scores of one stream's value cells; `ordered` cells stand in the order of their values."""
    rows = counts.sum()
    if rows == 0:
        return np.zeros_like(counts)
    shares = (counts + PRIOR) / (rows + PRIOR * len(counts))
    order = np.arange(len(counts)) if ordered else _by_frequency(counts)
    scores = np.empty_like(shares)
    scores[order] = _normal_scores(shares[order])
    scores -= (counts @ scores) / rows
    spread = sqrt(shares @ scores**2)
    return scores / spread if spread > 0 else np.zeros_like(counts)


def _by_frequency(counts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of the categories, the most frequent first, then `other` and `unseen`."""
    known = np.argsort(-counts[:-2], kind="stable")
    return np.concatenate((known, [len(counts) - 2, len(counts) - 1]))


def _normal_scores(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of a standard normal over consecutive cells of these shares: (pdf(a) - pdf(b)) / p."""
    inner = np.cumsum(shares)[:-1].tolist()
    densities: NDArray[np.float64] = np.array([0.0, *(_density_at_quantile(p) for p in inner), 0.0])
    scores: NDArray[np.float64] = (densities[:-1] - densities[1:]) / shares
    return scores


def _density_at_quantile(probability: float) -> float:
    if not 0 < probability < 1:
        return 0.0
    return exp(-(_STANDARD_NORMAL.inv_cdf(probability) ** 2) / 2) / sqrt(2 * pi)
