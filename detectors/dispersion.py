"""How far from independent the events of a stream are, learned from panes in their order of time.

Counts over blocks of w = 1, 2, 4, ... panes are standardised by what independent events would give.
The largest eigenvalue of their covariance, freed from sampling noise (Baik and Silverstein,
"Eigenvalues of large sample covariance matrices of spiked population models", Journal of
Multivariate Analysis 97, 2006), is V_w: 1 for independent events, and for a block of N_w events at
most phi + N_w / kappa. phi is dependence that ends within a pane or a few (clusters,
autocorrelation): counts are divided by it. kappa is slow wander that all events share: it becomes
the mass of the null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import inf
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.change.ragged import Floats, Indices, Ragged
from detectors.covering_line import covering_line, spiked

GROUPS = 16
"""Cells looked at of each stream: the 15 largest, and all others as one."""

BLOCKS_MIN = 12
"""Fewer blocks of a size say nothing."""

PANES_MIN = 30
"""Fewer panes of a stream say nothing of phi."""

MASS_MIN = 50.0
"""A smaller kappa is a stream that never keeps its shape."""

WIDENED_MASS = 1_500.0
"""kappa is at most this while wander may not have shown yet: twice the tolerance in sd."""

EXPECTED_MIN = 0.5
"""A count that is expected to be smaller is standardised as if it were this: one event in a cell
that never had any is no sign of dependence."""

ARRAYS = ("blocks", "events", "sums", "products", "pending_counts", "pending_expected")


class Status(IntEnum):
    """How much is known of a stream."""

    LEARNING = 0
    UNSTABLE = 1
    READY = 2


@dataclass(frozen=True, eq=False)
class Line:
    """phi and kappa of D streams as they are estimated from so many `panes`, arrays of shape (D,).

    phi is at least 1, kappa positive; of no pane they are 1 and infinity.
    """

    phi: Floats
    kappa: Floats
    panes: Indices

    @classmethod
    def unknown(cls, streams: int) -> Self:
        """Nothing is known of any."""
        return cls(np.ones(streams), np.full(streams, inf), np.zeros(streams, dtype=np.int64))

    def where(self, mask: np.ndarray, other: "Line") -> "Line":
        """This one for the streams of the mask (D,), `other` for the rest."""
        return Line(
            np.where(mask, self.phi, other.phi),
            np.where(mask, self.kappa, other.kappa),
            np.where(mask, self.panes, other.panes),
        )

    def careful(self, other: "Line") -> "Line":
        """By stream the more careful of both, and the panes of the one that rests on more."""
        return Line(
            np.maximum(self.phi, other.phi),
            np.minimum(self.kappa, other.kappa),
            np.maximum(self.panes, other.panes),
        )

    def believed(self, settled_panes: int) -> "Dispersion":
        """What may be believed of it: kappa of streams that show `settled_panes`, of others so far
        as a wander that has not shown yet allows.
        """
        known, settled = self.panes >= PANES_MIN, self.panes >= settled_panes
        keeps = self.kappa >= MASS_MIN
        status: Indices = np.where(known & ~keeps, Status.UNSTABLE, Status.LEARNING)
        status = np.where(settled & keeps, Status.READY, status)
        early = np.where(known, np.minimum(self.kappa, WIDENED_MASS), 0.0)
        kappa = np.where(settled, self.kappa, early)
        return Dispersion(np.where(known, self.phi, 1.0), kappa, status, self.panes)


@dataclass(frozen=True, eq=False)
class Dispersion:
    """What is known of D streams, arrays of shape (D,).

    phi: at least 1. kappa: at most `WIDENED_MASS` while learning, 0 (blind) before `PANES_MIN`
    panes; infinity if there is no wander. status: `Status` as numbers. panes: how many were seen.
    """

    phi: Floats
    kappa: Floats
    status: Indices
    panes: Indices


class DispersionLearner:
    """Learns phi and kappa of the streams of `cells` with the expected `shares` (C,).

    Feed every pane in order of time, of the reference or live ones before any alarm; blocks follow
    that order, whatever gaps there are. `settled_panes`: how many a stream must have shown before
    wander is taken to be known. At most `levels` sizes of blocks are kept.

    State: for L sizes, `blocks`, `events` (L, D), `sums` (L, D, G), `products` (L, D, G, G), and
    what waits for its second half, `pending_counts` and `pending_expected` (L, D, G): about 1.3 KB
    a size and stream, the products being single floats; `ticks`, how many panes.
    """

    def __init__(
        self, cells: Ragged, shares: Floats, settled_panes: int = 4_320, levels: int = 12
    ) -> None:
        self.cells = cells
        self.settled_panes = settled_panes
        self.levels = levels
        self._shares = np.asarray(shares, dtype=np.float64)
        self._slots = _groups(cells, self._shares)
        self.ticks = 0
        wide = (0, cells.streams, GROUPS)
        self.blocks, self.events = np.zeros(wide[:2]), np.zeros(wide[:2])
        self.sums: Floats = np.zeros(wide)
        self.products: NDArray[np.float32] = np.zeros((*wide, GROUPS), dtype=np.float32)
        self.pending_counts, self.pending_expected = np.zeros(wide), np.zeros(wide)

    @property
    def panes(self) -> Indices:
        """How many panes of each stream (D,) were learned from."""
        first: Indices = self.blocks[:1].sum(axis=0).astype(np.int64)
        return first

    def update(
        self,
        counts: np.ndarray,
        expected: Floats | None = None,
        learn: np.ndarray | None = None,
    ) -> None:
        """Add one pane: counts (C,), by season `expected` shares (C,), only of `learn` (D,).

        Raises ValueError if there are not C counts.
        """
        if counts.shape != (self.cells.cells,):
            raise ValueError(
                f"the pane has the shape {counts.shape}, the streams have {self.cells.cells} cells"
            )
        if not self.cells.streams:
            return
        totals = self.cells.total(counts) * (1.0 if learn is None else learn)
        shares = self._shares if expected is None else expected
        seen = self._grouped(np.where(self.cells.spread(totals > 0), counts, 0))
        self._add(seen, self._grouped(shares * self.cells.spread(totals)))
        self.ticks += 1

    def estimate(self) -> Dispersion:
        """What may be believed now. Costs an eigenvalue for each stream and size of block."""
        return self.line().believed(self.settled_panes)

    def line(self) -> Line:
        """Phi and kappa as the panes so far have them, however few these are."""
        streams = self.cells.streams
        if not streams or not len(self.blocks):
            return Line.unknown(streams)
        events = self.events / np.maximum(self.blocks, 1)
        variance, known = self._variances()
        phi, kappa = covering_line(events, variance, known)
        return Line(phi, kappa, self.panes)

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the streams of `previous` that are carried, and with its panes' order."""
        while len(self.blocks) < len(previous.blocks):
            self._add_level()
        self.ticks = previous.ticks
        for name in ARRAYS:
            kept = carried.into(getattr(self, name), getattr(previous, name), axis=1)
            setattr(self, name, kept)

    def state(self) -> dict[str, Any]:
        """A copy of the arrays that the class describes, and what it was made with."""
        return {
            "offsets": self.cells.offsets.copy(),
            "shares": self._shares.copy(),
            "settled_panes": self.settled_panes,
            "levels": self.levels,
            "ticks": self.ticks,
            **{name: getattr(self, name).copy() for name in ARRAYS},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The learner that `state()` was taken of."""
        cells = Ragged(np.array(state["offsets"], dtype=np.int64))
        learner = cls(
            cells, np.array(state["shares"]), int(state["settled_panes"]), int(state["levels"])
        )
        learner.ticks = int(state["ticks"])
        for name in ARRAYS:
            kind = np.float32 if name == "products" else np.float64
            setattr(learner, name, np.array(state[name], dtype=kind))
        return learner

    def _grouped(self, flat: np.ndarray) -> Floats:
        size = self.cells.streams * GROUPS
        sums = np.bincount(self._slots, weights=flat, minlength=size).astype(np.float64)
        return sums.reshape(self.cells.streams, GROUPS)

    def _add(self, counts: Floats, expected: Floats) -> None:
        """A pane completes a block of one, every second one a block of two, and so on."""
        for level in range(self.levels):
            if level == len(self.blocks):
                self._add_level()
            self._record(level, counts, expected)
            if not (self.ticks >> level) & 1:
                self.pending_counts[level], self.pending_expected[level] = counts, expected
                return
            counts = counts + self.pending_counts[level]
            expected = expected + self.pending_expected[level]

    def _add_level(self) -> None:
        for name in ARRAYS:
            column = getattr(self, name)
            added = np.zeros((1, *column.shape[1:]), dtype=column.dtype)
            setattr(self, name, np.concatenate((column, added)))

    def _record(self, level: int, counts: Floats, expected: Floats) -> None:
        events = expected.sum(axis=1)
        scores = (counts - expected) / np.sqrt(np.maximum(expected, EXPECTED_MIN))
        self.blocks[level] += events > 0
        self.events[level] += events
        self.sums[level] += scores
        # Rounded to single floats once, after the sum.
        self.products[level] = self.products[level].astype(np.float64) + np.einsum(
            "ij,ik->ijk", scores, scores
        )

    def _variances(self) -> tuple[Floats, np.ndarray]:
        """V_w by size and stream, shape (L, D), and where there are enough blocks to tell."""
        blocks = self.blocks
        known = blocks >= BLOCKS_MIN
        means = self.sums / np.maximum(blocks, 1)[:, :, None]
        centre = blocks[:, :, None, None] * means[..., :, None] * means[..., None, :]
        largest = np.linalg.eigvalsh(
            (self.products - centre) / np.maximum(blocks - 1, 1)[:, :, None, None]
        )[..., -1]
        free = (np.minimum(self.cells.sizes, GROUPS) - 1) / np.maximum(blocks - 1, 1)
        first = spiked(largest[0], free[0])
        rest = first * spiked(largest / first, free)
        return np.concatenate((first[None], rest[1:])), known


def _groups(cells: Ragged, shares: Floats) -> Indices:
    """The group of each cell in a flat (D * GROUPS,): by size, the smallest share the last."""
    owner = np.repeat(np.arange(cells.streams), cells.sizes)
    order = np.lexsort((-shares, owner))
    rank = np.empty(cells.cells, dtype=np.int64)
    rank[order] = np.arange(cells.cells) - cells.spread(cells.offsets[:-1])
    return owner * GROUPS + np.minimum(rank, GROUPS - 1)
