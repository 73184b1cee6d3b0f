"""Counts of the cells of an AR(1) stream of normals, pane by pane.

Up to `EXACT_RATE_MAX` events a second every event is drawn, on one path over all panes. Beyond, a
pane is put together from stretches of an exact path: the dependence within a stretch of 1,000
events is exact, between two there is none (for 0.9 that leaves out 2 % of the variance of a sum),
and the length of the last is rounded to 50 events.
"""

import numpy as np
from scipy.signal import lfilter
from scipy.sparse import csr_array

EXACT_RATE_MAX = 10
STRETCH, STEP, STRETCHES = 1_000, 50, 4_000
BLOCK = 16_384


def path(rng, rho, n, before=None):
    """n values of variance 1, after the value `before`."""
    noise = rng.normal(size=n) * np.sqrt(1 - rho**2)
    last = rng.normal() if before is None else before
    return lfilter([1.0], [1.0, -rho], noise, zi=[rho * last])[0]


def cells_of(edges, values):
    """By value its cell, as of `searchsorted(edges, values, side="right")` with up to 127 edges:
    so few are sooner compared with one after another, block by block.
    """
    cells = np.zeros(len(values), dtype=np.int8)
    for first in range(0, len(values), BLOCK):
        block = slice(first, first + BLOCK)
        for edge in edges.tolist():
            cells[block] += values[block] >= edge
    return cells


class Exact:
    """Every event of one path."""

    def __init__(self, rng, rho, edges):
        self._rng, self._rho, self._edges = rng, rho, edges
        self._last = float(rng.normal())

    def counts(self, rows):
        """Counts of panes of so many rows, shape (T, cells)."""
        values = path(self._rng, self._rho, int(rows.sum()), self._last)
        self._last = values[-1] if len(values) else self._last
        cells = len(self._edges) + 1
        first = np.repeat(np.arange(len(rows)) * cells, rows)
        placed = first + cells_of(self._edges, values)
        return np.bincount(placed, minlength=len(rows) * cells).reshape(len(rows), cells)


class Stretches:
    """Stretches out of a stock."""

    def __init__(self, rng, rho, edges):
        self._rng, cells = rng, len(edges) + 1
        steps = STRETCH // STEP
        self._stock = np.zeros((STRETCHES, steps + 1, cells), dtype=np.int64)
        block = 400
        for first in range(0, STRETCHES, block):
            values = path(rng, rho, block * STRETCH)
            placed = np.repeat(np.arange(block * steps) * cells, STEP) + cells_of(edges, values)
            counts = np.bincount(placed, minlength=block * steps * cells)
            counts = counts.reshape(block, steps, cells)
            self._stock[first : first + block, 1:] = counts.cumsum(axis=1)
        self._wholes = np.ascontiguousarray(self._stock[:, -1])

    def counts(self, rows):
        """Counts of panes of about so many rows, shape (T, cells)."""
        ends = np.concatenate(([0], np.cumsum(rows // STRETCH)))
        drawn = self._rng.integers(0, STRETCHES, int(ends[-1]))
        taken = csr_array((np.ones_like(drawn), drawn, ends), shape=(len(rows), STRETCHES))
        rest = self._rng.integers(0, STRETCHES, len(rows))
        return taken @ self._wholes + self._stock[rest, (rows % STRETCH + STEP // 2) // STEP]
