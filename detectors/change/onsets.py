"""Counts since a handful of onsets, thinned so that their ages stay about geometric."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from detectors.carried import Carried
from detectors.change.ragged import Floats, Indices, Ragged

ARRAYS = ("ages", "counts", "totals", "shares", "masses")


class Onsets:
    """What was seen of D streams since each of at most S onsets.

    `ages`, shape (S,): panes since the onset, its own included; 0 is an empty slot. The slots have
    no order. `counts` (S, C) and `totals` (S, D): what was seen since. `shares` (S, C): the mean of
    the expected shares since, weighted by the counts. `masses` (S, D): how many counts what was
    known at the onset is worth; 0: this stream has no such onset.
    """

    def __init__(self, cells: Ragged, slots: int) -> None:
        if slots < 3:
            raise ValueError(f"onsets is {slots}; there must be at least 3")
        self.cells = cells
        self.ages: Indices = np.zeros(slots, dtype=np.int64)
        self.counts, self.shares = np.zeros((slots, cells.cells)), np.zeros((slots, cells.cells))
        self.totals, self.masses = (np.zeros((slots, cells.streams)) for _ in range(2))

    def open(self, shares: Floats, masses: Floats) -> int:
        """Begin a pane: everything ages, and a new onset starts with it. Gives its slot."""
        self.ages[self.ages > 0] += 1
        slot = slot_to_use(self.ages)
        self.ages[slot] = 1
        self.counts[slot], self.totals[slot] = 0.0, 0.0
        self.shares[slot], self.masses[slot] = shares, masses
        return slot

    def add(self, counts: Floats, totals: Floats) -> None:
        """Add counts (C,) and their sums (D,) to every onset."""
        if (self.ages > 0).all():
            self.counts += counts
            self.totals += totals
            return
        known = (self.ages > 0)[:, None]
        self.counts += counts * known
        self.totals += totals * known

    def expect(self, shares: Floats, totals: Floats, streams: np.ndarray) -> None:
        """Before `add`: `totals` (D,) more are expected to have `shares`, where `streams` (D,)."""
        weight = np.divide(
            totals, self.totals + totals, out=np.zeros_like(self.totals), where=totals > 0
        )
        weight = self.cells.spread(weight * streams)
        self.shares += weight * (shares - self.shares)

    def forget(self, streams: np.ndarray) -> None:
        """The masked streams, shape (D,), have no onset any more."""
        self.masses[:, streams] = 0.0

    def carry(self, previous: Self, carried: Carried) -> None:
        """Have the onsets of `previous`, as many of them: none of these is one of a new stream."""
        cells = carried.of_cells(previous.cells.offsets, self.cells.offsets)
        self.ages = previous.ages.copy()
        for name in ("counts", "shares"):
            kept = cells.into(getattr(self, name), getattr(previous, name), axis=1)
            setattr(self, name, kept)
        for name in ("totals", "masses"):
            kept = carried.into(getattr(self, name), getattr(previous, name), axis=1)
            setattr(self, name, kept)

    def state(self) -> dict[str, Any]:
        """A copy of the arrays that the class describes."""
        return {name: getattr(self, name).copy() for name in ARRAYS}

    @classmethod
    def from_state(cls, cells: Ragged, state: Mapping[str, Any]) -> Self:
        """What `state()` was taken of."""
        onsets = cls(cells, len(state["ages"]))
        for name in ARRAYS:
            kind = np.int64 if name == "ages" else np.float64
            setattr(onsets, name, np.array(state[name], dtype=kind))
        return onsets


def slot_to_use(ages: Indices) -> int:
    """An empty slot, or that of the onset which its neighbours in age make up for best.

    Dropped is what leaves the smallest ratio between the ages around it; never the oldest. With 14
    slots, neighbours stay within a factor of about 3 of each other for years of minutes.
    """
    # A handful of plain numbers: numpy would take ten times as long.
    known: list[int] = ages.tolist()
    if 0 in known:
        return known.index(0)
    order = sorted(range(len(known)), key=known.__getitem__)
    around = [1, *(known[slot] for slot in order)]
    ratios = [older / younger for younger, older in zip(around, around[2:], strict=False)]
    return order[ratios.index(min(ratios))]
