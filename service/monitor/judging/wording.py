"""What changed, in words that could be read out on the phone."""

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.distance import Distances
from detectors.summary.layout import Layout
from service.monitor.judging.cell_names import A_CATEGORY
from service.values.references import Reference

SHIFT_WORTH_SAYING_SD = 0.1
"""A mean that moved less is not what changed: then the shape did."""


class Compared(Protocol):
    """What is compared: the reference, its counts by cell, and where the cells lie."""

    reference: Reference
    counts: NDArray[np.int64]

    @property
    def layout(self) -> Layout:
        """Where the cells lie."""
        ...

    def hides(self, stream: int) -> bool:
        """Whether no value of a stream is to be told."""
        ...


Measured = tuple[NDArray[np.int64], Distances]
"""Live counts by cell, and their distances to the reference."""


def in_words(compared: Compared, measured: Iterable[Measured], stream: int) -> str:
    """What changed, by the first of `measured` that has values: "up 0.41 sd, PSI 0.31"."""
    for cells, told in measured:
        psi, shift = float(told.psi[stream]), float(told.mean_shift[stream])
        if math.isnan(psi):
            continue
        if stream >= compared.layout.numeric_count:
            return f"{_moved_most(compared, cells, stream)}, PSI {psi:.2f}"
        if math.isnan(shift) or abs(shift) < SHIFT_WORTH_SAYING_SD:
            return f"shape changed, PSI {psi:.2f}"
        return f"{'up' if shift > 0 else 'down'} {abs(shift):.2f} sd, PSI {psi:.2f}"
    return "no values in any window now"


def _moved_most(compared: Compared, cells: NDArray[np.int64], stream: int) -> str:
    """The category whose share moved most: "share of web from 40 % to 61 %"."""
    values = compared.layout.values_of(stream)
    live, before = cells[values], compared.counts[values]
    now, then = live / max(1, live.sum()), before / max(1, before.sum())
    cell = int(np.argmax(np.abs(now - then)))
    known = compared.reference.streams[stream].categories
    names = (*([A_CATEGORY] * len(known) if compared.hides(stream) else known), "other", "unseen")
    return f"share of {names[cell]} from {then[cell]:.0%} to {now[cell]:.0%}".replace("%", " %")
