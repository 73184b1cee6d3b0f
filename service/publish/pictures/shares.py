"""Cells of one stream by name, with their shares before and now."""

import math
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from service.publish.pictures.svg import value_text
from service.values.backtests import Histogram
from service.values.streams import ValueType

CHANGED_MOST = 3
"""Cells that are marked: what to look at first."""

_CERTAIN_SD = 3.0
_SHARE_WORTH_MARKING = 0.02


class Cell(Struct, frozen=True):
    """One cell: shares are of all rows, missing and invalid ones too."""

    name: str
    rows_before: int
    rows_after: int
    before: float
    after: float
    live_rows: int

    @property
    def weight(self) -> float:
        """What it adds to the PSI, with half a row everywhere."""
        before, after = self.before + 0.5 / 1e5, self.after + 0.5 / 1e5
        return (after - before) * math.log(after / before)


def cells_of(histogram: Histogram) -> list[Cell]:
    """Value cells, then missing and invalid."""
    before, after = max(1, sum(histogram.reference)), max(1, sum(histogram.live))
    counts = zip(_names(histogram), histogram.reference, histogram.live, strict=True)
    return [Cell(name, b, a, b / before, a / after, after) for name, b, a in counts]


def changed(cells: Sequence[Cell]) -> list[Cell]:
    """The few that changed most, if that is more than what so few live rows explain."""
    marked = [cell for cell in cells if _is_certain(cell)]
    return sorted(marked, key=lambda cell: -cell.weight)[:CHANGED_MOST]


def _is_certain(cell: Cell) -> bool:
    difference = abs(cell.after - cell.before)
    spread = math.sqrt(max(cell.before * (1 - cell.before), 1e-6) / cell.live_rows)
    return difference >= _SHARE_WORTH_MARKING and difference > _CERTAIN_SD * spread


def _names(histogram: Histogram) -> list[str]:
    if histogram.type is not ValueType.NUMERIC:
        return [*histogram.categories, "other", "unseen", "missing", "invalid"]
    edges = [value_text(edge) for edge in histogram.edges]
    if not edges:
        return ["any value", "missing", "invalid"]
    # A value that many rows share has a cell of its own, as narrow as can be.
    inner = [low if low == high else f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"below {edges[0]}", *inner, f"{edges[-1]} and above", "missing", "invalid"]
